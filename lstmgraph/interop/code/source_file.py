"""The file: docstring, imports, the functions that build models, and the training."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmgraph.interop.code.layout import WIDTH, Text, laid_out, mapped
from lstmgraph.interop.code.likelihoods import NAMES
from lstmgraph.interop.code.names import Names
from lstmgraph.interop.code.printer import Body, ModelPrinter, Remarks
from lstmgraph.interop.code.scales import SCALES
from lstmgraph.interop.keras_model import KerasModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstmgraph.interop.code.layout import Source
    from lstmgraph.interop.notes import Note

BUILD, BUILD_ALL, MODEL = "build_model", "build_models", "model"
IMPORTED = ("constraints", "initializers", "layers", "ops", "regularizers")
FUNCTIONS = (BUILD, BUILD_ALL, "load_data", "main", MODEL, "weight", SCALES, *NAMES)


@dataclass(frozen=True)
class Code:
    """A model as a Python file, and what the file leaves out."""

    text: str
    notes: tuple[Note, ...] = ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Additions:
    """What a file says and does beside building a model."""

    title: str = ""
    description: str = ""
    remarks: Remarks = field(default_factory=Remarks)
    further: Mapping[str, KerasModel] = field(default_factory=dict)
    """Models over the same layers, by name."""
    after: Sequence[str] = ()
    """Lines of the function behind the calls, where `model` is the model."""
    functions: Sequence[str] = ()
    """Lines of further functions."""
    helpers: Sequence[str] = ()
    """Functions that stand before the others."""
    notes: tuple[Note, ...] = ()
    """What the file does not do."""
    scales: Source | None = None
    """Center and spread of columns by name, where a training finds them."""


def model_source(model: KerasModel, additions: Additions | None = None) -> str:
    """Return a model as a Python file that needs Keras alone.

    Args:
        model: the model as data.
        additions: what the file has beside it.

    Raises:
        CodeError: the model has a part that plain Keras code cannot make.
    """
    own = additions or Additions()
    functions: list[list[str]] = []
    constants: list[str] = []
    names = Names({*FUNCTIONS, *IMPORTED})
    nested: dict[int, str] = {}
    for each in (model, *own.further.values()):
        _nested_functions(each, names, nested, functions)
    if own.further:
        functions += _several(model, own, nested)
    else:
        body = Body(Names({*names.taken}), own.remarks, nested)
        made = ModelPrinter(model, body).run()
        given = ""
        if own.scales is not None:
            constants = list(laid_out(own.scales, f"{SCALES.upper()} = "))
            given = f"{SCALES}: dict[str, tuple[float, float]] = {SCALES.upper()}"
        functions.append(_function(BUILD, "Return the model.", body, made, own.after, given))
    text = "\n\n\n".join("\n".join(lines) for lines in functions)
    rest = "\n".join(own.functions)
    text = f"{text}\n\n\n{rest}" if rest else text
    helpers = "\n\n\n".join(own.helpers)
    text = f"{helpers}\n\n\n{text}" if helpers else text
    head = [*_docstring(own.title or model.name, own, text), "", *_imports(text)]
    head += ["", *constants] if constants else []
    return "\n".join(head) + "\n\n\n" + text.rstrip("\n") + "\n"


def _function(  # noqa: PLR0913, PLR0917 - the parts of a function
    name: str, says: str, body: Body, made: object, after: Sequence[str] = (), given: str = ""
) -> list[str]:
    lines = [f"def {name}({given}) -> keras.Model:", f'    """{says}"""', *body.lines]
    before = f"{MODEL} = " if after else "return "
    lines += laid_out(made, before, indent=4)  # type: ignore[arg-type]
    return [*lines, *after, f"    return {MODEL}"] if after else lines


def _nested_functions(
    model: KerasModel, names: Names, nested: dict[int, str], functions: list[list[str]]
) -> None:
    for layer in model.layers.values():
        for inner in (layer.model, *_models_in(layer.config)):
            if inner is None or id(inner) in nested:
                continue
            _nested_functions(inner, names, nested, functions)
            nested[id(inner)] = names.new(f"build_{inner.name}")
            body = Body(Names({*names.taken}), nested=nested)
            made = ModelPrinter(inner, body).run()
            says = "Return a model that is a layer of another one."
            functions.append(_function(nested[id(inner)], says, body, made))


def _models_in(value: Any) -> Iterator[KerasModel]:
    """Yield the models in the configuration of a layer, such as TimeDistributed."""
    if isinstance(value, KerasModel):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _models_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _models_in(each)


def _several(model: KerasModel, own: Additions, nested: dict[int, str]) -> list[list[str]]:
    """Return the functions of several models over the same layers."""
    models = {MODEL: model, **own.further}
    counts: dict[str, int] = {}
    for each in models.values():
        for name, layer in each.layers.items():
            if layer.type != "InputLayer" and not layer.is_operation:
                counts[name] = counts.get(name, 0) + 1
    shared = frozenset(name for name, count in counts.items() if count > 1)
    body = Body(
        Names({*FUNCTIONS, *IMPORTED, *nested.values()}), own.remarks, nested, shared=shared
    )
    made: dict[str, str] = {}
    for name, each in models.items():
        body.blank()
        if name != MODEL:
            body.lines.append(
                f"    # The model {re.sub(r'[^ -~]', '?', name)}, of the same layers."
            )
        source = ModelPrinter(each, body).run()
        variable = MODEL if name == MODEL else body.names.new(f"{name}_model")
        made[model.name if name == MODEL else name] = variable
        body.add(source, f"{variable} = ")
        if name == MODEL:
            body.lines += own.after
    body.blank()
    found = mapped({name: Text(variable) for name, variable in made.items()})
    lines = [
        f"def {BUILD_ALL}() -> dict[str, keras.Model]:",
        '    """Return the models by name; layers in several of them are the same."""',
        *body.lines,
        *laid_out(found, "return ", indent=4),
    ]
    first = [
        f"def {BUILD}() -> keras.Model:",
        '    """Return the main model."""',
        f"    return next(iter({BUILD_ALL}().values()))",
    ]
    return [lines, first]


def _docstring(title: str, own: Additions, text: str) -> list[str]:
    head = f'"""{_plain(title)}: a Keras model.'
    lines = textwrap.wrap(head, WIDTH - 3, break_on_hyphens=False)
    description = textwrap.wrap(_plain(own.description), WIDTH, break_on_hyphens=False)
    lines += ["", *description] if description else []
    needed = "Keras and pandas" if "pd." in text else "Keras alone"
    lines += ["", f"Written by `lstmgraph code`; it needs {needed}."]
    if own.notes:
        lines += ["", "What it does not do:", ""]
    for note in own.notes:
        lines += textwrap.wrap(
            f"- {_plain(note.message)}", WIDTH, subsequent_indent="  ", break_on_hyphens=False
        )
    return [*lines, '"""']


def _plain(text: str) -> str:
    """Return a text without what could end a docstring, on one line."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words.replace("\\", "/").replace('"', "'")


def _imports(text: str) -> list[str]:
    used = [name for name in IMPORTED if re.search(rf"(?<![\w.\"']){name}\.", text)]
    standard = [f"import {name}" for name in ("sys",) if f"{name}.argv" in text]
    others = ["import keras"] + (["import numpy as np"] if re.search(r"\bnp\.", text) else [])
    others += ["import pandas as pd"] if re.search(r"\bpd\.", text) else []
    lines = [*standard, "", *others] if standard else others
    return [*lines, f"from keras import {', '.join(used)}"] if used else lines
