"""The command that explains the codes of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import Format, OutputFormat
from lstmgraph.messages.error_page import error_sections
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import did_you_mean

if TYPE_CHECKING:
    from lstmgraph.messages.error_page import Section


def _codes_like(incomplete: str) -> list[tuple[str, str]]:
    known = error_sections().items()
    return [(code, section.title) for code, section in known if code.startswith(incomplete)]


def explain_code(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE...]", help="Codes, such as L203.", autocompletion=_codes_like
        ),
    ] = None,
    output_format: OutputFormat = Format.text,
) -> None:
    """Say what a code of a message means, and how to fix it; without a code, list all.

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
    raise typer.BadParameter(f"there is no code '{printable(written)}'{near}", param_hint="CODE")
