"""Rules of LSTM, GRU and SimpleRNN."""

from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    Weight,
    bias,
    require_float,
    require_positive,
    require_rank,
    static_dim,
)


def lstm(call: Call) -> LayerFacts:
    """LSTM: (batch, time, features) -> (batch, time, units) or (batch, units)."""
    return _recurrent(call, gates=4, biases=1)


def gru(call: Call) -> LayerFacts:
    """GRU: as LSTM; with ``reset_after``, it has a bias for the input and one for the state."""
    return _recurrent(call, gates=3, biases=2 if call.arguments["reset_after"] else 1)


def simple_rnn(call: Call) -> LayerFacts:
    """SimpleRNN: as LSTM."""
    return _recurrent(call, gates=1, biases=1)


def _recurrent(call: Call, gates: int, biases: int) -> LayerFacts:
    """Return the facts of one direction: the sequence or its last step, without states."""
    sequence = call.inputs[0]  # the others, if any, are initial states
    require_rank(
        call,
        3,
        "(batch, time, features)",
        hint="use a sequence: `return_sequences` on a recurrent layer before it, RepeatVector "
        "for a static vector, or Reshape",
    )
    require_positive(call, "units")
    if call.arguments["dropout"] or call.arguments["recurrent_dropout"]:
        require_float(call)  # TensorFlow fails on integers, but only in training
    units = call.arguments["units"]
    columns = gates * units
    weights = [Weight((static_dim(call, -1), columns)), Weight((units, columns))]
    weights += bias(call, *((biases, columns) if biases > 1 else (columns,)))
    batch, time, _ = sequence.shape
    shape = (batch, time, units) if call.arguments["return_sequences"] else (batch, units)
    return call.facts(shape, weights=[weight.within("cell") for weight in weights])
