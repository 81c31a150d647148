"""Numbers of too few bits, and rates of dropout that drop nothing or everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.interop.auditing.finding import Finding
from lstmgraph.interop.auditing.flow import output_name
from lstmgraph.interop.auditing.subject import place, recurrence, titled
from lstmgraph.interop.auditing.suggestions import input_names, recipe_layer, recipe_shape
from lstmgraph.interop.keras_masks import RECURRENT, layer_dtype, wrapped
from lstmgraph.keras_facts.dtypes import is_half

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.interop.auditing.subject import Key, Subject

LARGEST_IDS = {"float16": 2048, "bfloat16": 256, "float32": 2**24}
"""The largest n up to which a float holds every whole number: 2 to its significant bits."""
PROBABILITIES = frozenset({"softmax", "sigmoid", "log_softmax"})


def half_head(subject: Subject) -> Iterator[Finding]:
    """Find outputs in 16 bits (A141)."""
    for key in dict.fromkeys(subject.ends):
        maker = subject.maker(key)
        if maker is None or maker.layer.is_operation:
            continue
        dtype = layer_dtype(maker.layer) or ""
        if not is_half(dtype):
            continue
        activation = maker.layer.config.get("activation")
        of_dense = {"activation": activation} if isinstance(activation, str) else {}
        chances = activation in PROBABILITIES or maker.layer.type == "Softmax"
        yield Finding(
            "A141",
            place(maker),
            "certain" if chances else "possible",
            f"output '{output_name(subject, key)}' of {titled(maker)} is {dtype}: "
            + (
                "small probabilities are rounded to 0, and a crossentropy of them is wrong"
                if chances
                else "the loss sees three or fewer digits"
            ),
            "mixed precision gives the same loss as float32",
            f'y = keras.layers.{maker.layer.type}(..., dtype="float32")'
            f"({input_names(subject, maker)})",
            recipe_layer(subject, maker, **of_dense, dtype_policy="float32"),
        )


def loss_scaling(subject: Subject) -> Iterator[Finding]:
    """Find float16 layers that train without loss scaling (A142)."""
    compiled = subject.model.compile
    optimizer = (compiled or {}).get("optimizer")
    if not compiled or not optimizer:
        return
    name = optimizer.get("class_name") if isinstance(optimizer, dict) else str(optimizer)
    if str(name).lower() in {"lossscaleoptimizer", "loss_scale_optimizer"}:
        return
    half = [
        c
        for c in subject.calls
        if not c.layer.is_operation and _policy(c.layer.config) == "mixed_float16"
    ]
    half = [c for c in half if c.layer.config.get("trainable", True)]
    if half:
        yield Finding(
            "A142",
            place(half[0]),
            "certain",
            f"{titled(half[0])} computes in float16, and the optimizer {name} scales no loss: "
            "small gradients become 0. Keras wraps the optimizer only where the global policy is "
            "mixed_float16",
            "mixed precision as with the global policy",
            "model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), loss)",
            "dtype_policy: mixed_float16  # of the recipe: the optimizer is wrapped",
        )


def _policy(config: Mapping[str, Any]) -> str | None:
    policy = config.get("dtype")
    if isinstance(policy, dict):
        policy = (policy.get("config") or {}).get("name")
    return policy if isinstance(policy, str) else None


def ids(subject: Subject) -> Iterator[Finding]:
    """Find ids in floats that cannot hold them (A143)."""
    for each in subject.calls:
        if each.layer.type not in {"Embedding", "ReversibleEmbedding"} or each.layer.is_operation:
            continue
        keys = subject.reads(each)
        dtype = _float_on_the_way(subject, keys[0]) if keys else None
        most = LARGEST_IDS.get(dtype or "")
        number = each.layer.config.get("input_dim")
        source, shape = _first_on_the_way(subject, keys[0]) if keys else ("ids", ())
        if most and isinstance(number, int) and number > most:
            yield Finding(
                "A143",
                place(each),
                "certain",
                f"{titled(each)} gets its ids as {dtype}, which rounds whole numbers above {most}, "
                f"and has {number} rows: other rows are looked up",
                "each id has its row",
                f'{source} = keras.Input({shape}, dtype="int32")',
                f"inputs: {{{source}: {{shape: {recipe_shape(shape)}, dtype: int32}}}}",
            )


def _first_on_the_way(subject: Subject, key: Key) -> tuple[str, tuple[int | None, ...]]:
    """Return the name of what ids come from, and its shape without the batch."""
    for _ in range(10):
        maker = subject.maker(key)
        if maker is None or not (before := subject.reads(maker)):
            break
        key = before[0]
    return key[1].layer, (subject.shape(key) or (None, None))[1:]


def _float_on_the_way(subject: Subject, key: Key) -> str | None:
    """Return the shortest float that ids pass through on their way, or None."""
    found = None
    for _ in range(10):
        dtype = subject.dtype(key)
        maker = subject.maker(key)
        if dtype in LARGEST_IDS and (found is None or LARGEST_IDS[dtype] < LARGEST_IDS[found]):
            found = dtype
        if maker is None or not (before := subject.reads(maker)):
            break
        key = before[0]
    return found


def wrappers(subject: Subject) -> Iterator[Finding]:
    """Find wrappers whose policy does not reach the layer inside (A144)."""
    for each in subject.calls:
        config = each.layer.config
        inner, own = wrapped(each.layer)
        if each.layer.type == "RNN":
            cell = config.get("cell") or {}
            inner, own = str(cell.get("class_name", "")), cell.get("config") or {}
        policy, within = _policy(config), _policy(own)
        if inner and policy and within and policy != within:
            yield Finding(
                "A144",
                place(each),
                "certain",
                f"{titled(each)} has the policy {policy}, and the {inner} inside it {within}, in "
                "which everything is computed: a wrapper's dtype does not reach its layer",
                f"{inner} computes in {policy}",
                f"keras.layers.{each.layer.type}(keras.layers.{inner}(..., dtype={policy!r}), "
                f"dtype={policy!r})",
                recipe_layer(subject, each, dtype_policy=policy)
                if each.layer.type in RECURRENT
                else f"dtype_policy: {policy}  # on '{each.layer.name}', and the layer inside it",
            )


def dropout(subject: Subject) -> Iterator[Finding]:
    """Find rates of dropout of 1 or more (A145)."""
    for each in subject.calls:
        if each.layer.is_operation:
            continue
        config = each.layer.config
        recurrent = each.layer.type in RECURRENT or each.layer.type.startswith("ConvLSTM")
        if each.layer.type in RECURRENT:
            config = recurrence(each).config
        names = ("dropout", "recurrent_dropout") if recurrent else ("rate",)
        if not recurrent and each.layer.type not in {"Dropout", "SpatialDropout1D"}:
            continue
        for name in names:
            rate = config.get(name) or 0
            if not isinstance(rate, (int, float)) or rate < 1:
                continue
            yield Finding(
                "A145",
                place(each),
                "certain",
                f"{titled(each)} with `{name}={rate}` "
                + (
                    "drops nothing on a CPU: a recurrent layer drops only for rates below 1"
                    if recurrent
                    else "gives zeros in training: everything is dropped"
                ),
                "that part of the values is dropped in training",
                f"keras.layers.{each.layer.type}(..., {name}=0.5)",
                recipe_layer(subject, each, **{name: 0.5}),
            )


RULES = (half_head, loss_scaling, ids, wrappers, dropout)
