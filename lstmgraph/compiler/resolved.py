"""Write a recipe's data as YAML text that reads back to the same data."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import yaml

from lstmgraph.language.compose.variables import escaped
from lstmgraph.language.text.document import parse_document
from lstmgraph.language.text.scalars import BadNumberError, resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.messages.diagnostics import Path

HEADER = "# Every default written out. Builds the same model as the recipe it was made from.\n"


def resolved_yaml(completed: dict[str, Any], header: str = HEADER) -> str:
    """Return `completed` as the YAML text of a recipe, below a comment."""
    return header + recipe_yaml({key: value for key, value in completed.items() if value != ""})


def recipe_yaml(data: dict[str, Any]) -> str:
    """Return a recipe's data, with variables filled in, as the text of a recipe."""
    return plain_yaml(escaped(data))


def resolved_recipe(compiled: CompiledRecipe, header: str = HEADER) -> str:
    """Return the YAML text of a recipe with every default, and with its silencing comments.

    Each comment is above the line of its warning.
    """
    silences = [(s.warning.path, s.warning.code, s.reason) for s in compiled.silenced]
    return with_silences(resolved_yaml(compiled.completed, header), silences)


def with_silences(text: str, silences: Iterable[tuple[Path, str, str]]) -> str:
    """Return a recipe's text with silencing comments, each above the line of its value.

    Args:
        text: the text of a recipe.
        silences: the path of each value, the codes to silence, and the reason.
    """
    silences = list(silences)
    if not silences:
        return text
    document = parse_document(text)
    above: defaultdict[int, dict[str, None]] = defaultdict(dict)  # by line, without duplicates
    for path, codes, reason in silences:
        if path[:1] in document.keys:  # a resolved recipe has no `vars`
            line = document.place(path, at_key=True).span.line
            above[line][f"# lstmgraph: ignore[{codes}] {reason}\n"] = None
    lines = text.splitlines(keepends=True)
    for line in sorted(above, reverse=True):
        lines[line - 1 : line - 1] = above[line]
    return "".join(lines)


def plain_yaml(data: Any) -> str:
    """Return plain data as YAML that reads back to the same data by the rules of YAML 1.2."""
    text: str = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
    return text


def flow_yaml(data: Any) -> str:
    """Return plain data as YAML on one line, with brackets around what has several values."""
    text: str = yaml.dump(
        [data],
        Dumper=_LineDumper,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
        default_flow_style=True,
    )
    return text.strip().removeprefix("[").removesuffix("]")


class _Dumper(yaml.SafeDumper):
    """Writes values that YAML 1.1 and 1.2 read alike, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # PyYAML does not quote what only YAML 1.2 reads as a number, such as `1e-3`.
        style = None if _is_plain_text(data) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_UNICODE_LINE_ENDS = frozenset("\x85\u2028\u2029")
"""Characters that PyYAML turns into other white space unless the text is in double quotes."""


def _is_plain_text(data: str) -> bool:
    if not _UNICODE_LINE_ENDS.isdisjoint(data):
        return False
    try:
        return resolve_scalar(data, plain=True) == data
    except BadNumberError:
        return False


class _LineDumper(_Dumper):
    """Writes texts of several lines in double quotes, which need one line."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        if "\n" in data:
            return self.represent_scalar("tag:yaml.org,2002:str", data, style='"')
        return super().represent_str(data)


for dumper in (_Dumper, _LineDumper):
    dumper.add_representer(str, dumper.represent_str)
