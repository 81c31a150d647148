"""The diagnostics of the files of one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.messages.diagnostics import Diagnostic


@dataclass(frozen=True)
class CheckedFile:
    """A recipe file with its diagnostics."""

    file: str
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    """The texts that the places in `diagnostics` refer to, by name."""

    @property
    def ok(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return not self.count("error")

    def count(self, severity: str) -> int:
        """Return the number of diagnostics of a severity."""
        return sum(diagnostic.severity == severity for diagnostic in self.diagnostics)


def summary(files: Sequence[CheckedFile]) -> str:
    """Return a line such as ``3 errors and 1 warning in 2 of 14 files``."""
    counts = [
        counted(number, severity)
        for severity in ("error", "warning")
        if (number := sum(file.count(severity) for file in files))
    ]
    all_files = counted(len(files), "file")
    if not counts:
        return f"no problems in {all_files}"
    affected = sum(bool(file.diagnostics) for file in files)
    return f"{' and '.join(counts)} in {affected} of {all_files}"
