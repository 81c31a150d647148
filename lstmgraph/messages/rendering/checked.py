"""What was found in the files of one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgraph.messages.diagnostics import Diagnostic


@dataclass(frozen=True)
class CheckedFile:
    """A recipe file, and what was found in it."""

    file: str
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    """The texts that the places of `diagnostics` are in, by name."""

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings are none."""
        return not self.count("error")

    def count(self, severity: str) -> int:
        """How many errors, or warnings, there are."""
        return sum(each.severity == severity for each in self.diagnostics)


def summary(files: Sequence[CheckedFile]) -> str:
    """``3 errors and 1 warning in 2 of 14 files``."""
    counts = [
        counted(number, severity)
        for severity in ("error", "warning")
        if (number := sum(each.count(severity) for each in files))
    ]
    all_files = counted(len(files), "file")
    if not counts:
        return f"nothing wrong in {all_files}"
    found = sum(bool(each.diagnostics) for each in files)
    return f"{' and '.join(counts)} in {found} of {all_files}"
