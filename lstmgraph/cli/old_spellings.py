"""How a command reads its options: under old names too, with its own words for a bad number."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from lstmgraph.messages.wording import nearest

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


_NO_CHOICE = re.compile(r"'([^']*)' is not one of ")
_NO_NUMBER = re.compile(r"is not a valid (int|float)\w*( range)?\b")


def _said(match: re.Match[str]) -> str:
    return "is not a whole number" if match[1] == "int" else "is not a number"


def _meant(error: typer.BadParameter) -> str:
    """Return which of an option's words was meant."""
    choices = getattr(getattr(error.param, "type", None), "choices", ())
    written = _NO_CHOICE.match(error.message)
    near = nearest(written[1], map(str, choices)) if written else None
    return f" Did you mean '{near}'?" if near else ""


class CommandWithOldSpellings(TyperCommand):
    """A command whose old options are replaced by the new ones before they are parsed.

    Where an option is no number, the message says so: Typer's names a type of its own. An empty
    word, such as `"$OUT"` without a value, is refused: as a path it would be the current folder.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See Typer."""
        try:
            renamed = list(_renamed(args, OLD_SPELLINGS.get(self.name or "", {})))
            if not ctx.resilient_parsing:  # as completion is, of what is not written yet
                _refuse_empty(renamed)
            return super().parse_args(ctx, renamed)
        except typer.BadParameter as error:
            error.message = _NO_NUMBER.sub(_said, error.message) + _meant(error)
            raise


def _refuse_empty(args: list[str]) -> None:
    for before, word in pairwise(["", *args]):
        name, equals, value = word.partition("=") if word.startswith("-") else (before, "", word)
        if not value and (equals or not word):
            raise typer.BadParameter(
                "it is empty; is a variable of the shell not set?",
                param_hint=name if name.startswith("-") else "an argument",
            )


def _renamed(args: list[str], old: Mapping[str, tuple[str, Collection[str]]]) -> Iterator[str]:
    for index, written in enumerate(args):
        name, equals, value = written.partition("=")
        following = value if equals else "".join(args[index + 1 : index + 2])
        new, values = old.get(name, (name, ()))
        yield f"{new}{equals}{value}" if not values or following in values else written
