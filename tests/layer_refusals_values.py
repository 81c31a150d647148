"""Mistakes with layers that normalize, reshape or change single values, and of preprocessing."""

from layer_case import b, f, i, refusal

MEL = {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 3}

NORMALIZATION_REFUSALS = [
    refusal("BatchNormalization", f(8, "time"), says="`time` is known", argument="axis", input=0),
    refusal("BatchNormalization", f(8), says="out of range", argument="axis", axis=2),
    refusal("LayerNormalization", f("time", 8), says="`time`", argument="axis", input=0, axis=1),
    refusal("GroupNormalization", f(8), says="3 groups", argument="groups", groups=3),
    refusal("GroupNormalization", f(8), says="32 groups", argument="groups"),
    refusal("RMSNormalization", f(5, 8), says="only the last axes", argument="axis", axis=1),
    refusal("RMSNormalization", f(8, 8), says="last", argument="axis", stricter=True, axis=1),
    refusal("LayerNormalization", f(5, 8), says="twice", argument="axis", axis=[1, 1]),
    refusal("RMSNormalization", i(8), says="floats, but got int32", input=0, stricter=True),
    refusal("UnitNormalization", i(8), says="floats", input=0),
    refusal("UnitNormalization", f(8), says="out of range", argument="axis", axis=3),
    refusal("Normalization", f(8), says="both", argument="mean", mean=1.0),
    refusal(
        "Normalization",
        f(3),
        says="does not fit",
        argument="mean",
        mean=[1.0, 1.0],
        variance=[1.0, 1.0],
    ),
    refusal(
        "Normalization",
        f(3),
        says="variance",
        argument="variance",
        mean=1.0,
        variance=[1.0, 1.0, 1.0],
    ),
]

RESHAPING_REFUSALS = [
    refusal("Reshape", f(4, 3), says="has 10 values", argument="target_shape", target_shape=[2, 5]),
    refusal("Reshape", f(4, 3), says="divide", argument="target_shape", target_shape=[-1, 5]),
    refusal("Reshape", f(4, 3), says="one -1", argument="target_shape", target_shape=[-1, -1]),
    refusal(
        "Reshape",
        f("time", 4),
        says="is fixed",
        argument="target_shape",
        stricter=True,
        target_shape=[6, 4],
    ),
    refusal("Permute", f(4), says="lists 2", argument="dims", input=0, dims=[2, 1]),
    refusal("Permute", f(4, 3), says="permutation", argument="dims", dims=[0, 1]),
    refusal("RepeatVector", f(4, 8), says="(batch, features)", input=0, n=3),
    refusal("RepeatVector", f(8), says="positive integer", argument="n", n=0),
    refusal("RepeatVector", f(8), says="positive integer", argument="n", n=None),
    refusal("Cropping1D", f(3, 8), says="cuts 3 off the 3", argument="cropping", cropping=[1, 2]),
    refusal("Cropping2D", f(8, 8, 3), says="none negative", argument="cropping", cropping=-1),
    refusal("ZeroPadding2D", f(8, 8, 3), says="none negative", argument="padding", padding=-1),
    refusal("ZeroPadding1D", f(8), says="(batch, steps, channels)", input=0),
    refusal("UpSampling1D", f(8, 3), says="positive", argument="size", size=0),
    refusal("UpSampling2D", b(4, 4, 3), says="bool", input=0, interpolation="bilinear"),
    refusal("Resizing", b(8, 8, 3), says="bool", input=0, height=2, width=2),
    refusal(
        "Resizing",
        f(8, 8, 3),
        says="both crop and pad",
        argument="pad_to_aspect_ratio",
        height=2,
        width=2,
        crop_to_aspect_ratio=True,
        pad_to_aspect_ratio=True,
    ),
    refusal(
        "CenterCrop", f(8, 3), says="(batch, height", input=0, stricter=True, height=2, width=2
    ),
    refusal(
        "CenterCrop",
        f(8, 8, 3),
        says="only in float32",
        argument="dtype_policy",
        stricter=True,
        height=9,
        width=2,
        policy="mixed_float16",
    ),
]

ELEMENTWISE_REFUSALS = [
    refusal("Activation", i(4), says="floats", input=0, activation="sigmoid"),
    refusal("Activation", b(4), says="numbers", input=0, activation="relu"),
    refusal("ELU", i(4), says="floats", input=0),
    refusal("ReLU", f(4), says="at least 0", argument="max_value", max_value=-1.0),
    refusal("PReLU", f("time", 4), says="`time` is known", argument="shared_axes", input=0),
    refusal("PReLU", f(5, 4), says="out of range", argument="shared_axes", shared_axes=[3]),
    refusal(
        "PReLU",
        f(5, 4),
        says="out of range",
        argument="shared_axes",
        stricter=True,
        shared_axes=[0],
    ),
    refusal("Softmax", f(4), says="out of range", argument="axis", axis=2),
    refusal("Softmax", i(4), says="floats", input=0),
    refusal("Masking", f(), says="(batch, ..., features)", input=0, stricter=True),
    refusal("Dropout", i(4), says="floats", input=0, rate=0.5, training=True),
    refusal("Dropout", f(4), says="from 0 to 1", argument="rate", rate=1.5),
    refusal(
        "Dropout",
        f(4, 3),
        says="broadcast",
        argument="noise_shape",
        rate=0.5,
        noise_shape=[2, 4],
        training=True,
    ),
    refusal("GaussianNoise", i(4), says="floats", input=0, stddev=0.5, training=True),
    refusal("SpatialDropout1D", f(4), says="(batch, steps", input=0, rate=0.5),
]

PREPROCESSING_REFUSALS = [
    refusal("MelSpectrogram", f(4096), says="float64", argument="dtype_policy", policy="float64"),
    refusal(
        "Rescaling", f(1), says="do not fit", argument="scale", stricter=True, scale=[1.0, 2.0]
    ),
    refusal("Rescaling", f(3), says="2 entries", argument="scale", scale=[1.0, 2.0]),
    refusal("CategoryEncoding", f(4), says="ids", input=0, stricter=True, num_tokens=4),
    refusal("CategoryEncoding", i(), says="(batch, categ", input=0, stricter=True, num_tokens=4),
    refusal(
        "CategoryEncoding", i(3, 5), says="(batch, categ", input=0, stricter=True, num_tokens=4
    ),
    refusal("CategoryEncoding", i(4), says="num_tokens", argument="num_tokens"),
    refusal("MelSpectrogram", f(5), says="mirrors 8", argument="fft_length", **MEL),
    refusal(
        "MelSpectrogram", f(15), says="one more", argument="sequence_stride", stricter=True, **MEL
    ),
    refusal("STFTSpectrogram", i(40, 2), says="floats", input=0, frame_length=16, window=None),
    refusal(
        "STFTSpectrogram",
        f(40, 2),
        says="longer than its frames",
        argument="frame_step",
        frame_length=16,
        frame_step=20,
        window=None,
    ),
    refusal(
        "STFTSpectrogram",
        f(9, 2),
        says="window of 16",
        argument="frame_length",
        frame_length=16,
        window=None,
    ),
]
