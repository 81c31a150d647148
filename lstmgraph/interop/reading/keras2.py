"""Layers of Keras 2 under Keras 3's classes and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RECURRENT = ("LSTM", "GRU", "SimpleRNN")
CLASSES: Mapping[str, str] = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "LSTMCellV1": "LSTMCell",
    "LSTMCellV2": "LSTMCell",
    "GRUCellV1": "GRUCell",
    "GRUCellV2": "GRUCell",
    "DenseV1": "Dense",
    "Merge": "Merge",
    "Highway": "Highway",
}
"""The names of Keras 2's classes, and of the classes behind its names."""

NAMES: Mapping[str, str] = {
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
"""Arguments of Keras 1, which Keras 2 still read."""

FURTHER_NAMES: Mapping[str, Mapping[str, str]] = {
    **{layer: {"output_dim": "units"} for layer in ("Dense", "LSTM", "GRU", "SimpleRNN")},
    "LeakyReLU": {"alpha": "negative_slope"},
}
"""Arguments that single layers had under another name."""

SHAPES = ("batch_input_shape", "input_shape", "input_dim", "input_length")
"""Arguments of a first layer, from which Keras 2 made an input."""

DROPPED: Mapping[str, tuple[Any, ...]] = {
    "time_major": (False,),
    "consume_less": ("cpu", "gpu", "mem"),
    "fused": (True, False, None),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "virtual_batch_size": (None,),
    "experimental_autocast": (True, False),
    "autocast": (True, False),
}
"""Arguments that Keras 3 lacks, each with the values that mean what Keras 3 does."""


class NotInKeras3Error(ValueError):
    """Raised for a layer that Keras 3 cannot compute."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def translated(kind: str, config: Mapping[str, Any], *, is_old: bool) -> tuple[str, dict[str, Any]]:
    """Return the class and the arguments of a layer in Keras 3.

    Args:
        kind: the class, without its module.
        config: the arguments, without the name.
        is_old: whether Keras 2 wrote them; Keras 3's own stay as they are.

    Raises:
        NotInKeras3Error: Keras 3 has nothing that computes the same.
    """
    own = dict(config)
    if not is_old:
        return kind, own
    old_kind, kind = kind, CLASSES.get(kind, kind)
    names = {**NAMES, **FURTHER_NAMES.get(kind, {})}
    for name in names.keys() & own.keys():
        own[names[name]] = own.pop(name)
    if kind == "InputLayer":
        own["batch_shape"] = own.pop("batch_input_shape", own.get("batch_shape"))
    for name in SHAPES:
        if (kind, name) != ("Embedding", "input_dim"):
            own.pop(name, None)
    for name, values in DROPPED.items():
        _drop(own, name, values)
    if kind in RECURRENT or kind.endswith("Cell"):
        _recurrent(old_kind, kind, own)
    if kind == "ThresholdedReLU":
        kind, own = "ReLU", _thresholded(own)
    axis = own.get("axis")
    if isinstance(axis, (list, tuple)) and len(axis) == 1 and kind.endswith("Normalization"):
        own["axis"] = axis[0]
    if kind in ("Attention", "AdditiveAttention"):
        _drop(own, "causal", (False,))
    return kind, own


def _drop(own: dict[str, Any], name: str, values: tuple[Any, ...]) -> None:
    if name not in own:
        return
    value = own.pop(name)
    if not any(value is each or (value == each and type(value) is type(each)) for each in values):
        if name == "time_major":
            raise NotInKeras3Error(
                "it takes the time as first axis (`time_major: true`), which Keras 3 has not",
                "in Keras 2, build it with `time_major=False` between two "
                "Permute layers, load its weights, and save it again",
            )
        raise NotInKeras3Error(
            f"Keras 3 has no argument `{name}`, which is {value!r:.60}",
            f"in Keras 2, build the layer without `{name}`, load its weights, and save it again",
        )


def _recurrent(old_kind: str, kind: str, own: dict[str, Any]) -> None:
    if own.get("implementation") == 0:  # of Keras 2.0 to 2.2: the same numbers
        own["implementation"] = 1
    if kind.endswith("Cell"):
        own.pop("implementation", None)
    if old_kind.startswith("CuDNN"):
        own.setdefault("activation", "tanh")
        own.setdefault("recurrent_activation", "sigmoid")
        own.setdefault("use_bias", True)
    elif kind not in ("SimpleRNN", "SimpleRNNCell") and "recurrent_activation" not in own:
        own["recurrent_activation"] = "hard_sigmoid"  # Keras 2.0's default
    if kind in ("GRU", "GRUCell"):
        own.setdefault("reset_after", old_kind.startswith("CuDNN"))
    if own.pop("forget_bias_init", "one") not in ("one", "ones"):
        own["unit_forget_bias"] = False


def _thresholded(own: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in own.items() if key != "theta"}
    return {**kept, "threshold": own.get("theta", 1.0)}


def renamed(kind: str, argument: str, value: Any) -> Any:
    """Return the value of an initializer's argument as Keras 3 names it."""
    if kind == "VarianceScaling" and argument == "distribution" and value == "normal":
        return "truncated_normal"
    return value
