"""Calls of layers that the recipe defines elsewhere: ``{call: encoder, input: answer}``.

``{type: time_distributed, input: sentences, layer: {call: encoder}}`` calls one on each step.

A call has the weights and arguments of the layer that it calls. Of `mask` and `initial_state` it
takes over what names no other tensor, such as ``{value: 0.0}`` or ``learned``; what a layer reads
from elsewhere, each call names for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import layer_class
from lstmgraph.keras_facts.layers.dense import REVERSE
from lstmgraph.language.declaration.folds import has_states, is_block, wrapped
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


def completed_call(call: Data, layers: Mapping[str, Data]) -> Data:
    """Return a call with its mask and initial state written out.

    Args:
        call: the call, which ``check_calls`` found no mistake in; without an input if it is the
            layer inside ``time_distributed``, which has the mask too.
        layers: the layers of the recipe, as written.
    """
    called = layers[call["call"]]
    if is_block(called):
        return call
    keys = ["mask"] * ("input" in call) + ["initial_state"] * has_states(called, layers)
    forms = {key: call.get(key, _form(called, key)) for key in keys}
    if layer_class(called["type"]) == REVERSIBLE:
        forms[REVERSE] = call.get(REVERSE, False)
    return {**{key: call[key] for key in ("call", "input") if key in call}, **forms}


def _form(layer: Data, key: str) -> Any:
    """Return the mask or the initial state of a layer; a wrapper has the state of that inside."""
    own = layer if key == "mask" else wrapped(layer)[0]
    return own.get(key, DEFAULTS[key])


def check_calls(document: Document, at_fault: frozenset[Path]) -> frozenset[Path]:
    """Report what calls name wrongly; return `at_fault` with the paths of all calls at fault.

    Args:
        document: a recipe whose structure was checked.
        at_fault: the paths with mistakes in its structure.
    """
    data, faults = document.data, set(at_fault)
    if not isinstance(data.get("layers"), dict):
        return at_fault
    blocks = blocks_of(data)
    scopes: list[Path] = [("layers",)]
    scopes += [("blocks", name, "layers") for name in blocks if ("blocks", name) not in at_fault]
    for scope in scopes:
        layers = data["layers"] if len(scope) == 1 else blocks[str(scope[1])].get("layers")
        if isinstance(layers, dict):
            faults.update(_faults_of(scope, layers, at_fault, document))
    return frozenset(faults)


def _faults_of(
    scope: Path, layers: Data, at_fault: frozenset[Path], document: Document
) -> Iterator[Path]:
    """Report the mistakes of the calls in the recipe or in a block; yield their paths."""
    data, blocks = document.data, blocks_of(document.data)
    wrong = {path[: 2 if path[0] == "layers" else 4] for path in at_fault if path}
    for name, layer in layers.items():
        path = (*scope, name)
        found = None if path in wrong else _call_of(layer)
        if found is None or found[0]["call"] in blocks:
            continue
        call, inside = found
        home = scope if call["call"] in layers else ("layers",)
        called = (*home, call["call"])
        if called in wrong or called in at_fault:
            yield path
            continue
        every = {**data["layers"], **layers}
        for code, key, message, hint in _mistakes(name, call, every, data):
            where = (*path, *(inside if key not in layer else ()), key)
            yield where
            is_known = called in document.keys and called != path
            note = document.note(called, f"'{called[-1]}' is declared here", at_key=True)
            notes = (note,) if is_known else ()
            document.report(code, where, message, hint=hint, notes=notes)


def blocks_of(data: Data) -> Data:
    """Return the section `blocks:` as written; empty without a readable one."""
    blocks = data.get("blocks")
    return blocks if isinstance(blocks, dict) else {}


def _call_of(layer: Data) -> tuple[Data, tuple[str, ...]] | None:
    """Return a call, and the keys that lead to it in a layer; None for a layer of its own.

    A call inside ``time_distributed`` has the input and the mask of the wrapper.
    """
    inner, depth = wrapped(layer)
    if "call" not in inner:
        return None
    return {**layer, **inner} if depth else dict(inner), ("layer",) * depth


def _mistakes(
    name: str, call: Data, layers: Data, recipe: Data
) -> Iterator[tuple[str, str, str, str]]:
    """Yield the code, key, message and hint of each mistake in a call of one of `layers`."""
    called = call["call"]
    own = [other for other, layer in layers.items() if _is_of_its_own_layer(layer)]
    blocks = recipe["blocks"] if isinstance(recipe.get("blocks"), dict) else {}
    inputs, choices = recipe.get("inputs"), f"call one of: {few([*blocks, *own])}"
    if called == name:
        yield "L305", "call", f"'{name}' calls itself", choices
    elif called in layers and called not in own:
        root = _root(called, layers)
        hint = f"call the layer that it calls: `call: {root}`" if root else choices
        if root and "type" in layers[called]:
            hint = f"write `type: time_distributed` with `layer: {{call: {root}}}`"
        yield "L305", "call", f"'{called}' is itself a call", hint
    elif called in layers:
        yield from _mistakes_of_forms(name, call, layers[called], layers)
    elif isinstance(inputs, dict) and called in inputs:
        message = f"'{called}' is an input, but only layers can be called"
        yield "L305", "call", message, choices
    else:
        kind = "layer or block" if blocks else "layer"
        message = f"there is no {kind} '{called}'{did_you_mean(called, [*blocks, *own])}"
        yield "L301", "call", message, choices


def _root(name: str, layers: Mapping[str, Data]) -> str | None:
    """Return the layer of its own that a call of calls leads to; None in a cycle."""
    seen = {name}
    while name in layers and (found := _call_of(layers[name])):
        name = found[0]["call"]
        if name in seen:
            return None
        seen.add(name)
    return name if name in layers else None


def _is_of_its_own_layer(layer: Any) -> bool:
    return isinstance(layer, dict) and "type" in layer and _call_of(layer) is None


def _mistakes_of_forms(
    name: str, call: Data, layer: Data, layers: Mapping[str, Data]
) -> Iterator[tuple[str, str, str, str]]:
    called, recurrent = call["call"], has_states(layer, layers)
    if call.get("type"):
        yield from _mistakes_of_wrapper(called, call)
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
        forms = {"layer": _form(layer, key), "call": call.get(key, DEFAULTS[key])}
        if "carried" in _words(forms["layer"]) | _words(forms["call"]):
            message = f"'{called}' has several calls, but Keras keeps one carried state for a layer"
            hint = "write `initial_state: input`, and feed each call's `.state` back to it"
            yield "L308", "initial_state" if key in call else "call", message, hint
        elif key not in call and not _is_of_its_own(forms["layer"]):
            if key == "mask" and call.get("type"):
                continue  # the mask of a wrapper is its own
            message = f"the {WORDS[key]} of '{called}' comes from another tensor"
            yield "L307", "call", f"{message}, so '{name}' needs its own", FIXES[key]


def _mistakes_of_wrapper(called: str, wrapper: Data) -> Iterator[tuple[str, str, str, str]]:
    """Yield the mistakes of a wrapper around a call: what only the called layer decides."""
    for key in ("dtype_policy", "trainable"):
        if key in wrapper and wrapper[key] is not True:
            message = f"`{key}` is that of '{called}', which is called here"
            yield "L212", key, message, f"write it on '{called}'"


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
