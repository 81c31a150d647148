"""The result of `validate`: mistakes and warnings of many files, in one of four formats."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from lstmgraph.cli.exit_codes import COMMAND_LINE_IS_WRONG, RECIPE_IS_WRONG
from lstmgraph.cli.printing import print_json, say
from lstmgraph.cli.shared import Format, fail_with, listed, reason
from lstmgraph.cli.terminal import print_diagnostics, print_where_more_is_said
from lstmgraph.messages.rendering.checked import CheckedFile, summary
from lstmgraph.messages.rendering.printable import printable
from lstmgraph.messages.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmgraph.messages.errors import ModelFileError


class CheckFormat(StrEnum):
    """How mistakes and warnings are printed."""

    text = "text"
    json = "json"
    github = "github"
    sarif = "sarif"


def print_report(files: Sequence[CheckedFile], report_format: CheckFormat) -> None:
    """Print the mistakes and warnings of `files`."""
    if report_format is CheckFormat.json:
        print_json({"ok": all(each.ok for each in files), "files": [_as_dict(f) for f in files]})
    elif report_format is CheckFormat.github:
        from lstmgraph.messages.rendering.github import render_github  # noqa: PLC0415 - one format's

        annotations = render_github(files)
        if annotations:
            say(annotations)
    elif report_format is CheckFormat.sarif:
        from lstmgraph import __version__  # noqa: PLC0415 - as above
        from lstmgraph.messages.rendering.sarif import sarif_log  # noqa: PLC0415

        print_json(sarif_log(files, __version__))
    else:
        _print_text(files)


def _print_text(files: Sequence[CheckedFile]) -> None:
    for each in files:
        if each.diagnostics:
            print_diagnostics(each)
        if each.ok:
            warnings = each.count("warning")
            also = f", {counted(warnings, 'warning')}" if warnings else ""
            say(f"{printable(each.file)}: ok{also}")
    wrong = [each for each in files if each.diagnostics]
    if len(files) > 1:
        say(summary(files), err=bool(wrong))
    print_where_more_is_said(wrong)


def _as_dict(found: CheckedFile) -> dict[str, Any]:
    return {"file": found.file, "ok": found.ok, **listed(found.diagnostics)}


def fail_model(
    path: Path, error: ModelFileError | OSError, output_format: CheckFormat | Format
) -> NoReturn:
    """Print why an existing Keras model cannot be read, and exit: with 2 if its file cannot be."""
    found = CheckFormat(output_format)
    simple = Format.json if found is CheckFormat.json else Format.text
    if isinstance(error, OSError):
        fail_with(f"cannot read {path}: {reason(error)}", simple, COMMAND_LINE_IS_WRONG)
    if not error.diagnostics:
        fail_with(str(error), simple)
    if found is CheckFormat.json:
        print_json({"ok": False, **listed(error.diagnostics)})
    else:
        print_report([CheckedFile(str(path), tuple(error.diagnostics))], found)
    raise typer.Exit(RECIPE_IS_WRONG) from None
