"""The command that says what a code means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import Format, OutputFormat
from lstmgraph.messages.error_page import error_sections
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import did_you_mean

if TYPE_CHECKING:
    from lstmgraph.messages.error_page import Section


def explain_code(
    codes: Annotated[
        list[str] | None, typer.Argument(metavar="[CODE...]", help="Codes, such as L203.")
    ] = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """Say what a code means, with a wrong and a right example; without one, list all codes.

    Example: lstmgraph explain-code L203
    """
    sections = [_section(code) for code in codes] if codes else list(error_sections().values())
    if output_format is Format.json:
        keys = ("code", "title", "text")
        print_json({"codes": [{key: getattr(each, key) for key in keys} for each in sections]})
    elif codes:
        say("\n\n".join(section.plain() for section in sections))
    else:
        say("\n".join(f"{each.code}  {each.title}" for each in sections))


def _section(written: str) -> Section:
    code, known = written.strip().upper(), error_sections()
    if code in known:
        return known[code]
    near = did_you_mean(code, known) or "; `lstmgraph explain-code` lists all"
    if re.fullmatch(r"D\d{3}", code):
        near = ": codes of data are listed in docs/data.md"
    raise typer.BadParameter(f"there is no code '{printable(written)}'{near}", param_hint="CODE")
