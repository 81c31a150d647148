"""Calls of layers that the recipe defines elsewhere: ``{call: encoder, input: answer}``.

A call has the weights and arguments of the layer that it calls. Of `mask` and `initial_state` it
takes over what names no other tensor, such as ``{value: 0.0}`` or ``learned``; what a layer reads
from elsewhere, each call names for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import is_recurrent, layer_class
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.messages.wording import did_you_mean, few

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.language.text.document import Document
    from lstmgraph.messages.diagnostics import Path

    Data = dict[str, Any]

REVERSIBLE = "ReversibleEmbedding"
DEFAULTS = {"mask": "inherited", "initial_state": "zeros"}
OF_ITS_OWN = {"inherited", "none", "zeros", "learned"}
"""Masks and initial states that name no tensor."""
WORDS = {"mask": "mask", "initial_state": "initial state"}
FIXES = {
    "mask": "write its own `mask:`, such as {lengths: NAME}; `inherited` is that of its input",
    "initial_state": "write `initial_state: zeros`, or the layer or the inputs it starts from",
}


def with_called(data: Data, layers: Mapping[str, Data]) -> Data:
    """Return a completed layer with the arguments of the layer that it calls, if it calls one."""
    return {**layers[data["call"]], **data} if "call" in data else data


def completed_call(call: Data, called: Data) -> Data:
    """Return a call with its mask and initial state written out.

    Args:
        call: the call, which ``check_calls`` found no mistake in.
        called: the layer that it calls, as written.
    """
    kind = layer_class(called["type"])
    keys = ["mask"] + ["initial_state"] * is_recurrent(kind)
    forms = {key: call.get(key, called.get(key, DEFAULTS[key])) for key in keys}
    if kind == REVERSIBLE:
        forms[REVERSE] = call.get(REVERSE, False)
    return {"call": call["call"], "input": call["input"], **forms}


def check_calls(document: Document, at_fault: frozenset[Path]) -> frozenset[Path]:
    """Report what calls name wrongly; return `at_fault` with the paths of all calls at fault.

    Args:
        document: a recipe whose structure was checked.
        at_fault: the paths with mistakes in its structure.
    """
    data, faults = document.data, set(at_fault)
    if not isinstance(data.get("layers"), dict):
        return at_fault
    blocks = data["blocks"] if isinstance(data.get("blocks"), dict) else {}
    scopes: list[Path] = [("layers",)]
    scopes += [("blocks", name, "layers") for name in blocks if ("blocks", name) not in at_fault]
    for scope in scopes:
        layers = data["layers"] if len(scope) == 1 else blocks[scope[1]].get("layers")
        if isinstance(layers, dict):
            faults.update(_faults_of(scope, layers, at_fault, document))
    return frozenset(faults)


def _faults_of(
    scope: Path, layers: Data, at_fault: frozenset[Path], document: Document
) -> Iterator[Path]:
    """Report the mistakes of the calls in the recipe or in a block; yield their paths."""
    data, depth = document.data, len(scope)
    wrong = {path[: depth + 1] for path in at_fault if path[:depth] == scope}
    for name, call in layers.items():
        path = (*scope, name)
        if path in wrong or "call" not in call or call["call"] in (data.get("blocks") or ()):
            continue
        home = scope if call["call"] in layers else ("layers",)
        called = (*home, call["call"])
        if called in wrong or called in at_fault:
            yield path
            continue
        every = {**data["layers"], **layers}
        for code, key, message, hint in _mistakes(name, call, every, data.get("inputs")):
            yield (*path, key)
            is_known = called in document.keys and called != path
            note = document.note(called, f"'{called[-1]}' is declared here", at_key=True)
            notes = (note,) if is_known else ()
            document.report(code, (*path, key), message, hint=hint, notes=notes)


def _mistakes(
    name: str, call: Data, layers: Data, inputs: Any
) -> Iterator[tuple[str, str, str, str]]:
    """Yield the code, key, message and hint of each mistake in a call of one of `layers`."""
    called = call["call"]
    own = [other for other, layer in layers.items() if isinstance(layer, dict) and "type" in layer]
    choices = f"call one of: {few(own)}"
    if called == name:
        yield "L305", "call", f"'{name}' calls itself", choices
    elif called in layers and "call" in layers[called]:
        root = _root(called, layers)
        hint = f"call the layer that it calls: `call: {root}`" if root else choices
        yield "L305", "call", f"'{called}' is itself a call", hint
    elif called in layers:
        yield from _mistakes_of_forms(name, call, layers[called])
    elif isinstance(inputs, dict) and called in inputs:
        message = f"'{called}' is an input, but only layers can be called"
        yield "L305", "call", message, choices
    else:
        message = f"there is no layer '{called}'{did_you_mean(called, own)}"
        yield "L301", "call", message, choices


def _root(name: str, layers: Mapping[str, Data]) -> str | None:
    """Return the layer of its own that a call of calls leads to; None in a cycle."""
    seen = {name}
    while name in layers and "call" in layers[name]:
        name = layers[name]["call"]
        if name in seen:
            return None
        seen.add(name)
    return name if name in layers else None


def _mistakes_of_forms(name: str, call: Data, layer: Data) -> Iterator[tuple[str, str, str, str]]:
    called, recurrent = call["call"], is_recurrent(layer_class(layer["type"]))
    if not recurrent and "initial_state" in call:
        message = f"'{called}' is not a recurrent layer, so its calls have no initial state"
        yield "L212", "initial_state", message, "remove it"
    if REVERSE in call and layer_class(layer["type"]) != REVERSIBLE:
        message = f"'{called}' is no reversible embedding, so its calls have no reverse"
        hint = "remove it"
        if layer_class(layer["type"]) == "Embedding":
            hint = f"write `type: reversible_embedding` at '{called}'"
        yield "L213", REVERSE, message, hint
    if recurrent and isinstance(call["input"], dict):
        message = f"'{called}' is a recurrent layer, whose inputs have no names"
        yield "L212", "input", message, "write a port, or a list of ports"
    for key in ("mask", "initial_state"):
        forms = {"layer": layer.get(key, DEFAULTS[key]), "call": call.get(key, DEFAULTS[key])}
        if "carried" in _words(forms["layer"]) | _words(forms["call"]):
            message = f"'{called}' has several calls, but Keras keeps one carried state for a layer"
            hint = "write `initial_state: input`, and feed each call's `.state` back to it"
            yield "L308", "initial_state" if key in call else "call", message, hint
        elif key not in call and not _is_of_its_own(forms["layer"]):
            message = f"the {WORDS[key]} of '{called}' comes from another tensor"
            yield "L307", "call", f"{message}, so '{name}' needs its own", FIXES[key]


def _words(form: Any) -> set[str]:
    return {each for each in (form if isinstance(form, list) else [form]) if isinstance(each, str)}


def _is_of_its_own(form: Any) -> bool:
    """Return whether a mask or an initial state names no tensor and no input."""
    if isinstance(form, list):
        return all(map(_is_of_its_own, form))
    if not isinstance(form, dict):
        return form in OF_ITS_OWN
    if {"h", "c"} & set(form):
        return all(map(_is_of_its_own, form.values()))
    return bool({"value", "constant"} & set(form))
