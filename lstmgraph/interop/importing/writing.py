"""Writing of a recipe's data as text that looks as if it was written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.authoring.editing.formatting import format_text
from lstmgraph.compiler.resolved import flow_yaml
from lstmgraph.interop.inlining import BETWEEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH = 100
SECTIONS = ("inputs", "blocks", "layers", "outputs")


def recipe_text(data: Mapping[str, Any], comments: Mapping[str, Sequence[str]]) -> str:
    """Return a recipe's data as text in the layout of ``lstmgraph fmt``.

    Args:
        data: the recipe.
        comments: what to say above a layer, by its name, in a block as ``tower/reader``; of the
            recipe itself under "".
    """
    return format_text(plain_text(data, comments))


def plain_text(data: Mapping[str, Any], comments: Mapping[str, Sequence[str]]) -> str:
    """Return a recipe's data as text in no layout, which takes less time."""
    lines: list[str] = [f"# {line}" for line in comments.get("", ())]
    for key, value in data.items():
        if key in SECTIONS:
            lines += ["", f"{key}:"]
            for name, entry in value.items():
                lines += [f"  # {line}" for line in comments.get(name, ()) if key == "layers"]
                lines += _block(name, entry, comments) if key == "blocks" else _entry(name, entry)
        elif isinstance(value, dict):
            lines += ["", *_entry(key, value, indent="")]
        else:
            lines.append(f"{key}: {flow_yaml(value)}")
    return "\n".join(lines) + "\n"


def _block(name: str, block: Any, comments: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a block with the comments on its layers, which have the names ``block/layer``."""
    if not any(place.startswith(f"{name}{BETWEEN}") for place in comments):
        return _entry(name, block)
    lines = [f"  {name}:"]
    for key, value in block.items():
        if key != "layers":
            lines += _entry(key, value, "    ")
            continue
        lines.append("    layers:")
        for layer, entry in value.items():
            lines += [f"      # {line}" for line in comments.get(f"{name}{BETWEEN}{layer}", ())]
            lines += _entry(layer, entry, "      ")
    return lines


def _entry(name: str, value: Any, indent: str = "  ") -> list[str]:
    line = f"{indent}{name}: {flow_yaml(value)}"
    if len(line) <= WIDTH or not isinstance(value, dict):
        return [line]
    lines = [f"{indent}{name}:"]
    for key, each in value.items():
        lines += _entry(key, each, f"{indent}  ")
    return lines
