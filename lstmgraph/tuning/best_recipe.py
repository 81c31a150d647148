"""The best trial's recipe as its author wrote it, with the values that the search found."""

from __future__ import annotations

import os
from copy import deepcopy
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgraph.authoring.editing.put_data import is_same, put_data
from lstmgraph.compiler.compile import compile_document
from lstmgraph.compiler.load import load_compiled
from lstmgraph.compiler.resolved import HEADER
from lstmgraph.files import refuse_link, write_text
from lstmgraph.language.compose import composed
from lstmgraph.language.compose.extends import with_bases
from lstmgraph.language.compose.merge import merges
from lstmgraph.language.compose.variables import escaped, substitute
from lstmgraph.language.space.collect import Collected, collect
from lstmgraph.language.space.fill import fill
from lstmgraph.language.space.space import Space
from lstmgraph.language.text.document import Document, parse_document
from lstmgraph.language.text.origins import DELETE
from lstmgraph.language.text.overrides import apply_overrides
from lstmgraph.messages.diagnostics import PRESET
from lstmgraph.messages.errors import RecipeError
from lstmgraph.tuning.recipes import concrete_recipe
from lstmgraph.tuning.search.checked import parsed
from lstmgraph.tuning.search.own_files import read_of_trial
from lstmgraph.tuning.search.trial import SPEC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.language.space.dimensions import Values
    from lstmgraph.messages.diagnostics import Path as RecipePath

BASES = "extends"
"""The folder, in that of a search, for copies of the files that the recipe extends."""
BEST_RECIPE = "best.recipe.yaml"
UNUSED_VARIABLE = "W102"


def best_recipe(folder: Path, trial: Path, resolved: str) -> str:
    """Return the recipe at the best point as it was written, with its comments.

    The files that it extends are copied into the search's folder, where its ``extends:`` finds
    them. Where the text cannot be changed to mean the same as `resolved`, return `resolved`.

    Args:
        folder: the search's.
        trial: the best trial's.
        resolved: its recipe with every default written out, below remarks.

    Raises:
        OSError: a file that the recipe extends cannot be copied.
    """
    try:
        wanted = load_compiled(resolved)
        spec = parsed(read_of_trial(trial, SPEC), SPEC)
        found = _Best(folder, spec["job"]["recipe"], spec["values"], wanted).text()
    except (RecipeError, FileNotFoundError, LookupError, TypeError, ValueError, AttributeError):
        return resolved  # an edited folder, or a text that lstmgraph did not foresee
    remarks = takewhile(
        lambda line: line.startswith("# "), resolved.removeprefix(HEADER).split("\n")
    )
    return "".join(f"{line}\n" for line in remarks) + found


class _Best:
    def __init__(
        self,
        folder: Path,
        payload: Mapping[str, Any],
        values: Mapping[str, Any],
        wanted: CompiledRecipe,
    ) -> None:
        written = payload.get("written", payload)
        self.folder, self.values, self.wanted = folder, values, wanted
        self.written, self.overrides = written["text"], written["overrides"]
        self.name = str(folder / BEST_RECIPE)
        self.copies = self.copy_bases(written["source"], written.get("bases", {}))

    def copy_bases(self, source: str, bases: Mapping[str, str]) -> bool:
        """Copy the files that the recipe extends; return whether there are any."""
        root = os.path.normpath(Path(source).parent)
        files = {name: text for name, text in bases.items() if not name.startswith(PRESET)}
        for name, text in files.items():
            target = self.folder / BASES / Path(name).relative_to(root)
            if ".." in target.relative_to(self.folder).parts:
                raise ValueError(f"{name} is outside of the recipe's folder")
            for part in target.relative_to(self.folder).parents:
                refuse_link(self.folder / part)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, text)
        return bool(files)

    def text(self) -> str:
        """Return the recipe as YAML.

        Raises:
            ValueError: the text would mean something other than the best trial's recipe.
        """
        own = self.document(self.written)
        if "extends" in own.data:
            own.data["extends"] = self.entries(own.data["extends"])
        whole = with_bases(own, self.folder)
        apply_overrides(whole, self.overrides)
        raw = deepcopy(whole.data)
        substitute(whole)
        space = collect(whole).space
        point = space.point(self.values)
        data = self.at(raw, whole, space, point)
        head = {"extends": own.data["extends"]} if "extends" in own.data else {}
        bases = Document(dict(head), source=self.name)
        inherited = with_bases(bases, self.folder).data if head else {}
        chosen = {
            d.path: point[d.name]
            for d in space.dimensions
            if d.kind == "choose" and d.name in point
        }
        data = {**head, **above(inherited, data, own.data)}
        text = put_data(self.written, data, chosen)
        while unused := self.unused_variables(text):
            data["vars"] = {k: v for k, v in data["vars"].items() if k not in unused}
            data = {key: value for key, value in data.items() if key != "vars" or value}
            text = put_data(self.written, data, chosen)
        return text

    def document(self, text: str) -> Document:
        return parse_document(text, self.name)

    def entries(self, written: Any) -> Any:
        """Return what stands under ``extends:`` with the paths of the copies."""
        if isinstance(written, list):
            return [self.entries(entry) for entry in written]
        return written if written.startswith(PRESET) else f"{BASES}/{os.path.normpath(written)}"

    def at(self, raw: Any, whole: Document, space: Space, point: Values) -> dict[str, Any]:
        """Return the recipe's data at a point of its space, with its variables named."""
        literal = {name: escaped(value) for name, value in point.items()}
        dimensions = [
            replace(d, choices=tuple(map(escaped, d.choices)), default=escaped(d.default))
            for d in space.dimensions
        ]
        collected = Collected(Space(tuple(dimensions)))
        data = _with_mappings(fill(Document(raw), collected, literal).data)
        data.pop("search", None)
        here = concrete_recipe(whole, self.values)
        for section, key in (("runtime", "seed"), ("training", "epochs")):
            value = self.wanted.completed[section][key]
            if here.completed[section][key] != value:
                data[section] = {**data.get(section, {}), key: value}
        return data

    def unused_variables(self, text: str) -> set[str]:
        """Return the variables that only searched values named.

        Raises:
            ValueError: the text means something other than the best trial's recipe.
        """
        compiled = compile_document(composed(self.document(text), self.folder))
        layers = [list(recipe.completed["layers"]) for recipe in (compiled, self.wanted)]
        if not is_same(compiled.completed, self.wanted.completed) or layers[0] != layers[1]:
            raise ValueError("the recipe as written would be another one")
        found = [w.path for w in compiled.warnings if w.code == UNUSED_VARIABLE]
        return {str(path[1]) for path in found}


def _with_mappings(data: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe's data with each variable that is a mapping where it is used.

    An alternative of a variable can be a whole layer, which a variable by itself cannot.
    """
    variables = data.get("vars", {})
    while name := next((n for n, value in variables.items() if isinstance(value, dict)), None):
        data = _replaced(data, f"${{vars.{name}}}", variables[name])
        variables = {n: value for n, value in data["vars"].items() if n != name}
        data["vars"] = variables
    return {key: value for key, value in data.items() if key != "vars" or value}


def _replaced(data: Any, text: str, value: Any) -> Any:
    if isinstance(data, dict):
        return {key: _replaced(each, text, value) for key, each in data.items()}
    if isinstance(data, list):
        return [_replaced(each, text, value) for each in data]
    return deepcopy(value) if isinstance(data, str) and _is_use(data, text) else data


def _is_use(data: str, text: str) -> bool:
    return data.replace(" ", "") == text


def above(
    inherited: dict[str, Any], data: dict[str, Any], own: Any, path: RecipePath = ()
) -> dict[str, Any]:
    """Return what a recipe must say for it to be `data`.

    Args:
        inherited: what it has from the files that it extends.
        data: the whole.
        own: what it says itself today, which it goes on to say.
        path: where in the recipe all of this is.
    """
    found: dict[str, Any] = {}
    for key, value in data.items():
        at, mine = (*path, key), own.get(key) if isinstance(own, dict) else None
        if key in inherited and is_same(inherited[key], value):
            if mine is not None:
                found[key] = mine
        elif key in inherited and merges(inherited[key], value, at):
            found[key] = above(inherited[key], value, mine, at)
        else:
            found[key] = value
    return found | dict.fromkeys(inherited.keys() - data.keys(), DELETE)
