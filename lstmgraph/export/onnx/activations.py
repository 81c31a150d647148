"""Lowering of activations to operators that onnxruntime has in float32 and in float64.

The formulas are those of ``keras.activations`` of Keras 3.15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lstmgraph.export.onnx.builder import Builder, Name
    from lstmgraph.export.onnx.call import Call


class Formula:
    """Adds arithmetic on tensors of one dtype; plain numbers become constants."""

    def __init__(self, builder: Builder, dtype: str) -> None:
        self.builder = builder
        self.dtype = dtype

    def __call__(self, kind: str, *inputs: Name | float, **attributes: object) -> Name:
        """Add an operator."""
        names = [
            each if isinstance(each, str) else self.builder.constant(each, self.dtype)
            for each in inputs
        ]
        return self.builder.op(kind, *names, **attributes)


def _relu(f: Formula, x: Name) -> Name:
    return f("Max", x, 0) if f.dtype == "int64" else f("Relu", x)


def _exponential_below(f: Formula, x: Name, alpha: float) -> Name:
    """Return max(x, 0) + alpha * (exp(min(x, 0)) - 1)."""
    below = f("Sub", f("Exp", f("Min", x, 0)), 1)
    return f("Add", f("Max", x, 0), f("Mul", below, alpha))


def _elu(f: Formula, x: Name) -> Name:
    return _exponential_below(f, x, 1)


def _selu(f: Formula, x: Name) -> Name:
    return f("Mul", _exponential_below(f, x, 1.6732632423543772), 1.0507009873554805)


def _softplus(f: Formula, x: Name) -> Name:
    more = f("Log", f("Add", f("Exp", f("Neg", f("Abs", x))), 1))
    return f("Add", f("Max", x, 0), more)


def _hard_sigmoid(f: Formula, x: Name) -> Name:
    return f("Clip", f("Add", f("Div", x, 6), 0.5), 0, 1)


def _mish(f: Formula, x: Name) -> Name:
    return f("Mul", x, f("Tanh", _softplus(f, x)))


def _silu(f: Formula, x: Name) -> Name:
    """Avoid x * sigmoid(x): in float64, onnxruntime 1.20 fuses it to an operator that it lacks."""
    return f("Div", x, f("Add", f("Exp", f("Neg", x)), 1))


def _hard_silu(f: Formula, x: Name) -> Name:
    return f("Mul", x, _hard_sigmoid(f, x))


def _soft_shrink(f: Formula, x: Name) -> Name:
    return f("Sub", x, f("Clip", x, -0.5, 0.5))


def _hard_shrink(f: Formula, x: Name) -> Name:
    return f("Where", f("Greater", f("Abs", x), 0.5), x, 0)


def _sparse_plus(f: Formula, x: Name) -> Name:
    bent = f("Max", f("Add", x, 1), 0)
    return f("Where", f("Less", x, 1), f("Mul", f("Mul", bent, bent), 0.25), x)


def _sparse_sigmoid(f: Formula, x: Name) -> Name:
    return f("Clip", f("Mul", f("Add", x, 1), 0.5), 0, 1)


def _squareplus(f: Formula, x: Name) -> Name:
    root = f("Sqrt", f("Add", f("Mul", x, x), 4))
    return f("Mul", f("Add", x, root), 0.5)


ACTIVATIONS: Mapping[str, Callable[[Formula, Name], Name]] = {
    "celu": _elu,  # with alpha 1 the same
    "elu": _elu,
    "exponential": lambda f, x: f("Exp", x),
    "gelu": lambda f, x: f("Gelu", x),
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "hard_tanh": lambda f, x: f("Clip", x, -1, 1),
    "leaky_relu": lambda f, x: f("Max", x, f("Mul", x, 0.2)),
    "linear": lambda _f, x: x,
    "log_sigmoid": lambda f, x: f("Neg", _softplus(f, f("Neg", x))),
    "log_softmax": lambda f, x: f("LogSoftmax", x, axis=-1),
    "mish": _mish,
    "relu": _relu,
    "relu6": lambda f, x: f("Clip", x, 0, 6),
    "selu": _selu,
    "sigmoid": lambda f, x: f("Sigmoid", x),
    "silu": _silu,
    "soft_shrink": _soft_shrink,
    "softmax": lambda f, x: f("Softmax", x, axis=-1),
    "softplus": _softplus,
    "softsign": lambda f, x: f("Div", x, f("Add", f("Abs", x), 1)),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "squareplus": _squareplus,
    "swish": _silu,
    "tanh": lambda f, x: f("Tanh", x),
    "tanh_shrink": lambda f, x: f("Sub", x, f("Tanh", x)),
}
"""Keras's activations by name, except sparsemax, which no recipe may use."""


def activated(builder: Builder, x: Name, activation: str | None, dtype: str) -> Name:
    """Return the activation of a tensor of `dtype`, or the tensor itself for None."""
    return ACTIVATIONS[activation or "linear"](Formula(builder, dtype), x)


def formula(call: Call) -> Formula:
    """Return arithmetic in the working dtype of a call."""
    return Formula(call.builder, call.dtype)


def activation(call: Call) -> Name:
    """Lower Activation, or a layer named after an activation."""
    return activated(call.builder, call.x(), call.arguments["activation"], call.dtype)


def relu(call: Call) -> Name:
    """Lower ReLU with its threshold, largest value and negative slope."""
    f, x = formula(call), call.x()
    threshold = call.arguments["threshold"]
    slope, largest = call.arguments["negative_slope"], call.arguments["max_value"]
    above = f("Where", f("Greater", x, threshold), x, 0) if threshold else _relu(f, x)
    if largest is not None:
        above = f("Min", above, largest)
    if not slope:
        return above
    below = _relu(f, f("Sub", float(threshold), x))
    return f("Sub", above, f("Mul", below, slope))


def leaky_relu(call: Call) -> Name:
    """Lower LeakyReLU."""
    f, x = formula(call), call.x()
    below = f("Mul", f("Min", x, 0), call.arguments["negative_slope"])
    return f("Add", f("Max", x, 0), below)


def elu(call: Call) -> Name:
    """Lower ELU."""
    return _exponential_below(formula(call), call.x(), call.arguments["alpha"])


def prelu(call: Call) -> Name:
    """Lower PReLU, with a negative slope for every element of a row."""
    f, x = formula(call), call.x()
    slopes = call.constant(call.weight(0))
    return f("Add", f("Max", x, 0), f("Mul", f("Min", x, 0), slopes))


def softmax(call: Call) -> Name:
    """Lower Softmax over one axis or several; masked elements become 0."""
    f, x, mask = formula(call), call.x(), call.mask
    if mask:
        if call.rank > 2:  # the mask is one of steps
            mask = call.do("Unsqueeze", mask, call.builder.ints(*range(2, call.rank)))
        # Keras's large number first: it leaves equal weights where all is masked; then the zeros.
        x = f("Where", mask, x, -1e9)
    shares = softmax_over(f, x, call.axes(call.arguments["axis"]))
    return f("Where", mask, shares, 0) if mask else shares


def softmax_over(f: Formula, x: Name, axes: list[int]) -> Name:
    """Return the softmax over `axes`."""
    if len(axes) == 1:
        return f("Softmax", x, axis=axes[0])
    places = f.builder.constant(np.array(axes), "int64")
    powers = f("Exp", f("Sub", x, f("ReduceMax", x, places)))
    return f("Div", powers, f("ReduceSum", powers, places))


def log1p(call: Call) -> Name:
    """Lower the logarithm of 1 + each number; ONNX has no operator of its own for it."""
    f = formula(call)
    return f("Log", f("Add", call.x(), 1))
