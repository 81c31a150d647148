"""Rules of layers that prepare numbers, categories and sound."""

from math import ceil, log2

from lstmgraph.keras_facts.layers.core import (
    Call,
    LayerFacts,
    LayerMistake,
    Weight,
    require_float,
    require_positive,
    require_rank,
    static_dim,
)
from lstmgraph.keras_facts.layers.dense import require_ids
from lstmgraph.keras_facts.layers.spatial import Window, slide, spatial_input
from lstmgraph.keras_facts.tensors import ceil_divide_dim, shift_dim


def rescaling(call: Call) -> LayerFacts:
    """Rescaling: any shape, always floats; a list of scales is for the last axis."""
    spec = call.input
    for name in ("scale", "offset"):
        value = call.arguments[name]
        fits = not isinstance(value, list | tuple) or (
            spec.rank > 1 and len(value) in (1, spec.shape[-1])
        )
        if not fits:
            raise LayerMistake(
                f"Rescaling's `{name}` has {len(value)} entries, which do not fit the last axis "
                f"of {spec}",
                argument=name,
                hint=f"write one number, or a list of {spec.shape[-1]}",
            )
    return call.facts(spec.shape)


def category_encoding(call: Call) -> LayerFacts:
    """CategoryEncoding: (batch, n) ids -> (batch, num_tokens); ``one_hot`` keeps axis n if n > 1.

    Under a mixed policy, Keras declares a 16-bit output, but computes float32.
    """
    spec = call.input
    dtype = "float64" if call.compute_dtype == "float64" else "float32"
    tokens = call.arguments["num_tokens"]
    if tokens is None or tokens < 1:
        raise LayerMistake(
            f"CategoryEncoding's `num_tokens` must be positive, not {tokens}",
            argument="num_tokens",
            hint="write the number of categories",
        )
    require_ids(call)
    # Keras declares its compute dtype, but counts in float32 where that has only 16 bits.
    dtype = "float64" if call.compute_dtype == "float64" else "float32"
    if call.arguments["output_mode"] == "one_hot":
        squeezed = spec.rank > 1 and spec.shape[-1] == 1
        return call.facts((*(spec.shape[:-1] if squeezed else spec.shape), tokens), dtype=dtype)
    # Keras takes (batch,) for one row, and sums (batch, a, b) over a but declares (batch, a).
    require_rank(
        call,
        2,
        "(batch, categories)",
        hint="reshape the input to (batch, categories), or use `output_mode: one_hot`",
    )
    return call.facts((spec.shape[0], tokens), dtype=dtype)


def mel_spectrogram(call: Call) -> LayerFacts:
    """MelSpectrogram: (batch, samples) -> (batch, num_mel_bins, ceil((samples + 1) / stride))."""
    spec = call.input
    require_rank(call, 2, "(batch, samples)")
    if call.compute_dtype == "float64":
        raise LayerMistake(
            "MelSpectrogram does not compute in float64",
            argument="dtype_policy",
            hint="use float32 or mixed_float16",
        )
    require_positive(call, "fft_length", "sequence_stride", "num_mel_bins", "sequence_length")
    fft, stride = call.arguments["fft_length"], call.arguments["sequence_stride"]
    if (call.arguments["sequence_length"] or fft) > fft:
        raise LayerMistake(
            f"MelSpectrogram's windows of {call.arguments['sequence_length']} samples are longer "
            f"than its fft_length of {fft}",
            argument="sequence_length",
            hint="use at most `fft_length`",
        )
    samples = spec.shape[1]
    if isinstance(samples, int):
        _check_samples(samples, fft, stride)
    frames = ceil_divide_dim(shift_dim(samples, 1), stride)
    return call.facts((spec.shape[0], call.arguments["num_mel_bins"], frames))


def _check_samples(samples: int, fft: int, stride: int) -> None:
    if samples <= fft // 2:
        raise LayerMistake(
            f"MelSpectrogram mirrors {fft // 2} samples at each end, but got only {samples}",
            argument="fft_length",
            hint="use a smaller `fft_length`, or longer inputs",
        )
    if (samples + 1) % stride == 0:
        raise LayerMistake(
            f"for {samples} samples, Keras computes {(samples + 1) // stride} frames but declares "
            "one more",
            argument="sequence_stride",
            hint=f"use a `sequence_stride` that does not divide {samples + 1}",
        )


def stft_spectrogram(call: Call) -> LayerFacts:
    """STFTSpectrogram: (batch, samples, channels) -> (batch, frames, channels * frequencies).

    The transform is a convolution, whose kernels Keras counts as trainable.
    """
    image = spatial_input(call, 1)
    require_float(call)
    require_positive(call, "frame_length", "frame_step", "fft_length")
    if call.compute_dtype == "bfloat16":
        raise LayerMistake(
            "STFTSpectrogram does not compute in bfloat16",
            argument="dtype_policy",
            hint="use float32 or mixed_float16",
        )
    channels = static_dim(call, image.channel_axis)
    length, step, fft = _frames(call)
    window = Window(length, step, call.arguments["padding"], "frame_length")
    frames = slide(call, image.sizes[0], window)
    mode = call.arguments["mode"]
    frequencies = fft // 2 + 1
    kernels = 1 if mode in ("real", "imag") else 2
    weights = [Weight((length, 1, frequencies))] * kernels
    rows = frequencies * (2 if mode == "stft" else 1)
    if not call.arguments["expand_dims"]:
        return call.facts(image.shape([frames], rows * channels), weights=weights)
    if image.channels_first:
        return call.facts((image.batch, channels, frames, rows), weights=weights)
    return call.facts((image.batch, frames, rows, channels), weights=weights)


def _frames(call: Call) -> tuple[int, int, int]:
    """Return the frame length, the step between frames, and the length of the transform."""
    length: int = call.arguments["frame_length"]
    step: int = call.arguments["frame_step"] or length // 2
    fft: int = call.arguments["fft_length"] or 2 ** ceil(log2(length))
    if step > length:
        raise LayerMistake(
            f"STFTSpectrogram's step of {step} is longer than its frames of {length}",
            argument="frame_step",
            hint="use at most `frame_length`",
        )
    if fft < length:
        raise LayerMistake(
            f"STFTSpectrogram's fft_length of {fft} is shorter than its frames of {length}",
            argument="fft_length",
            hint="use at least `frame_length`",
        )
    return length, step, fft
