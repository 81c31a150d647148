"""Options under the names that they had before, which still work and are not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

FILE_FORMATS = ("keras", "saved_model", "onnx", "litert", "svg", "mermaid", "dot")
OLD_SPELLINGS: Mapping[str, Mapping[str, tuple[str, Collection[str]]]] = {
    "export": {"--format": ("--to", FILE_FORMATS), "--print": ("--format", ())},
    "graph": {"--format": ("--to", FILE_FORMATS)},
    "transfer": {"--strict": ("--complete", ())},
    "tune": {"--out": ("--output", ()), "--time": ("--max-time", ())},
}
"""By command and old name: the new name, and for which values; for any, where there are none."""


class CommandWithOldSpellings(TyperCommand):
    """A command whose old options are replaced by the new ones before they are parsed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See Typer."""
        return super().parse_args(ctx, list(_renamed(args, OLD_SPELLINGS.get(self.name or "", {}))))


def _renamed(args: list[str], old: Mapping[str, tuple[str, Collection[str]]]) -> Iterator[str]:
    for index, written in enumerate(args):
        name, equals, value = written.partition("=")
        following = value if equals else "".join(args[index + 1 : index + 2])
        new, values = old.get(name, (name, ()))
        yield f"{new}{equals}{value}" if not values or following in values else written
