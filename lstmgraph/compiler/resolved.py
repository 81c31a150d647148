"""Completed data -> YAML text that reads back to the same data."""

from __future__ import annotations

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
    """`completed` as YAML, read back by the YAML 1.2 rules of recipes."""
    return header + recipe_yaml({key: value for key, value in completed.items() if value != ""})


def recipe_yaml(data: dict[str, Any]) -> str:
    """A recipe's data, whose variables are filled in, as the text of a recipe."""
    return plain_yaml(escaped(data))


def resolved_recipe(compiled: CompiledRecipe, header: str = HEADER) -> str:
    """``resolved_yaml`` of a recipe, with its comments that silence warnings.

    Each stands above the line of its warning.
    """
    found = [(each.warning.path, each.warning.code, each.reason) for each in compiled.silenced]
    return with_silences(resolved_yaml(compiled.completed, header), found)


def with_silences(text: str, silences: Iterable[tuple[Path, str, str]]) -> str:
    """A recipe's text with comments that silence the warnings of values, each above its line.

    Args:
        text: a recipe.
        silences: the path of each value, the codes that are silenced, and why.
    """
    silences = list(silences)
    if not silences:
        return text
    document = parse_document(text)
    above: defaultdict[int, dict[str, None]] = defaultdict(dict)  # by line, each comment once
    for path, codes, reason in silences:
        if path[:1] in document.keys:  # a recipe that is written out has no `vars`
            line = document.place(path, at_key=True).span.line
            above[line][f"# lstmgraph: ignore[{codes}] {reason}\n"] = None
    lines = text.splitlines(keepends=True)
    for line in sorted(above, reverse=True):
        lines[line - 1 : line - 1] = above[line]
    return "".join(lines)


def plain_yaml(data: Any) -> str:
    """Plain data as YAML that the YAML 1.2 rules of recipes read back."""
    text: str = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes values that YAML 1.1 and 1.2 read alike, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # PyYAML quotes what YAML 1.1 would not read as text; recipes are YAML 1.2, as `1e-3` shows.
        style = None if _is_plain_text(data) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_UNICODE_LINE_ENDS = frozenset("\x85\u2028\u2029")
"""PyYAML folds them into other white space wherever it may choose the quotes."""


def _is_plain_text(data: str) -> bool:
    if not _UNICODE_LINE_ENDS.isdisjoint(data):
        return False
    try:
        return resolve_scalar(data, plain=True) == data
    except BadNumberError:
        return False


_Dumper.add_representer(str, _Dumper.represent_str)
