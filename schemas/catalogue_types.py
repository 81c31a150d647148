"""What Keras's signatures do not say: which values an argument takes, and what is left out.

`generate.py` reads names and defaults from the installed Keras, and everything else from here. An
argument that is new in Keras has no entry yet, and the generator then says so by name.
"""

from typing import Any

Schema = dict[str, Any]


LARGEST = 2**31 - 1
"""What TensorFlow takes for a size, a seed or an axis."""


def integer(minimum: int = -LARGEST) -> Schema:
    """Describe a whole number; JSON Schema's integer refuses true and 1.5."""
    return {"type": "integer", "minimum": minimum, "maximum": LARGEST}


def number(**bounds: float) -> Schema:
    """Describe a number within JSON Schema's own bounds."""
    return {"type": "number", **bounds}


def choice(*values: str | int | bool | None) -> Schema:
    """Describe one of a few fixed values."""
    return {"enum": list(values)}


def bound(text: str, example: float) -> Schema:
    """Describe one bound among several."""
    texts = {"title": text.rstrip("."), "description": text, "examples": [example]}
    return texts | number(minimum=0)


def items(of: Schema, least: int = 1, most: int | None = None) -> Schema:
    """Describe a list of `least` to `most` values."""
    limits = {"minItems": least} | ({} if most is None else {"maxItems": most})
    return {"type": "array", "items": of, **limits}


def single_or_list(single: Schema, several: Schema) -> Schema:
    """Describe a value or a list, by if/then: a message then names the one that was meant."""
    return {"if": {"type": "array"}, "then": several, "else": single}


def per_dimension(single: Schema, rank: int) -> Schema:
    """Describe one value for all spatial dimensions, or a list of one for each."""
    return single_or_list(single, items(single, rank, rank))


COUNT = integer(1)
WHOLE = integer(0)
PAIR = per_dimension(WHOLE, 2)
DIMENSION = {"type": ["integer", "null"], "minimum": 1, "maximum": LARGEST}
NUMBERS = {"type": ["number", "array"], "items": {"$ref": "#/$defs/numbers"}, "minItems": 1}
UNIT = number(minimum=0, maximum=1)
MATRIX_ONLY = ["Orthogonal", "OrthogonalInitializer", "orthogonal"]
MATRIX_ONLY += ["Identity", "IdentityInitializer", "identity"]
FOR_VECTORS = {
    "$ref": "#/$defs/initializer",
    "if": {"type": "string"},
    "then": {"not": {"enum": MATRIX_ONLY}},
    "else": {"not": {"properties": {"type": {"enum": MATRIX_ONLY}}, "required": ["type"]}},
}

# Name under $defs: what it is for, and its schema. `{rank}` in ARGUMENTS picks the 1, 2 or 3.
VALUES: dict[str, tuple[str, Schema]] = {
    "count": ("A whole number, at least 1.", COUNT),
    "count_or_size": (
        "A whole number, at least 1, or the name of a size.",
        {"type": ["integer", "string"], "minimum": 1, "maximum": LARGEST, "minLength": 1},
    ),
    "whole": ("A whole number, 0 or more.", WHOLE),
    "open_unit": ("Above 0, and at most 1.", number(exclusiveMinimum=0, maximum=1)),
    "vector_initializer": ("A Keras initializer that can fill a vector.", FOR_VECTORS),
    "integer": ("A whole number.", integer()),
    "steps": ("A whole number of steps, at least 2.", integer(2)),
    "number": ("A number.", number()),
    "numbers": ("A number, or a list of numbers, nested as an array is.", NUMBERS),
    "positive": ("A number above 0.", number(exclusiveMinimum=0)),
    "non_negative": ("A number, 0 or more.", number(minimum=0)),
    "non_positive": ("A number, 0 or less.", number(maximum=0)),
    "unit": ("A number from 0 to 1.", UNIT),
    "rate": ("A share from 0 up to, not including, 1.", number(minimum=0, exclusiveMaximum=1)),
    "threshold": (
        "A number above 0, at most 1.",
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    ),
    "text": ("A text.", {"type": "string", "minLength": 1}),
    "texts": ("A list of texts.", items({"type": "string"}, 0)),
    "size1": ("At least 1, along one dimension.", per_dimension(COUNT, 1)),
    "size2": ("At least 1, for both dimensions or for each.", per_dimension(COUNT, 2)),
    "size3": ("At least 1, for all three dimensions or for each.", per_dimension(COUNT, 3)),
    "offset1": ("0 or more, along one dimension.", per_dimension(WHOLE, 1)),
    "offset2": ("0 or more, for both dimensions or for each.", per_dimension(WHOLE, 2)),
    "offset3": ("0 or more, for all three dimensions or for each.", per_dimension(WHOLE, 3)),
    "margin1": ("Steps at both ends, or [start, end].", PAIR),
    "margin2": ("Steps at every edge, or for each dimension.", per_dimension(PAIR, 2)),
    "margin3": ("Steps at every edge, or for each dimension.", per_dimension(PAIR, 3)),
    "axes": ("An axis, or a list of axes.", single_or_list(integer(), items(integer()))),
    "axes_or_none": (
        "An axis, a list of axes, or null for one statistic over everything.",
        {"if": {"type": "null"}, "else": {"$ref": "#/$defs/axes"}},
    ),
    "contracted_axes": ("An axis, or one for each operand.", per_dimension(integer(), 2)),
    "dimensions": ("A list of sizes; null where the input decides.", items(DIMENSION)),
    "output_shape": ("A size, or a list of sizes.", single_or_list(COUNT, items(DIMENSION))),
    "target_shape": (
        "The shape without the batch; -1, at most once, for what is left over.",
        items(integer(-1), 0) | {"contains": {"const": -1}, "minContains": 0, "maxContains": 1},
    ),
    "permutation": ("An order of the dimensions, from 1.", items(COUNT) | {"uniqueItems": True}),
    "groups": ("A number of groups; -1 for one to a channel.", integer(-1) | {"not": {"const": 0}}),
    "equation": (
        "An einsum equation of two operands, such as 'abc,cd->abd'.",
        {"type": "string", "pattern": r"^[a-zA-Z.]+,[a-zA-Z]+->[a-zA-Z.]+$"},
    ),
    "letters": ("Letters of the equation's output.", {"type": "string", "pattern": "^[a-zA-Z]+$"}),
    "data_format": (
        "Where the channels stand.",
        choice("channels_last", "channels_first"),
    ),
    "padding": ("Whether the edges are padded.", choice("valid", "same")),
    "causal_padding": (
        "Whether the edges are padded; causal looks back only.",
        choice("valid", "same", "causal"),
    ),
    "float_dtype": ("A type of floats.", choice("float16", "bfloat16", "float32", "float64")),
    "score_mode": ("How query and key are compared.", choice("dot", "concat")),
    "encoding": ("How categories are written.", choice("multi_hot", "one_hot", "count")),
    "lookup_mode": (
        "How what is looked up is written.",
        choice("int", "one_hot", "multi_hot", "count", "tf_idf"),
    ),
    "text_mode": ("How texts are written.", choice("int", "multi_hot", "count", "tf_idf")),
    "bin_mode": ("How bins are written.", choice("int", "one_hot", "multi_hot", "count")),
    "token_count": ("A whole number, at least 2.", integer(2)),
    "ngrams": (
        "The longest n-gram, or a list of lengths.",
        single_or_list(COUNT, items(COUNT) | {"uniqueItems": True}),
    ),
    "standardize": (
        "What is done to texts before they are split.",
        choice("lower_and_strip_punctuation", "lower", "strip_punctuation", None),
    ),
    "split": ("Where texts are split.", choice("whitespace", "character", None)),
    "token": ("A text.", {"type": ["string", "null"]}),
    "integer_token": (
        "A whole number.",
        {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1},
    ),
    "hashed_value": ("A text or a whole number.", {"type": ["string", "integer"]}),
    "salt": ("A whole number, or two.", per_dimension(WHOLE, 2)),
    "vocabulary": ("A list of texts, each once.", items({"type": "string"})),
    "integer_vocabulary": (
        "A list of whole numbers, each once.",
        items({"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}),
    ),
    "interpolation": (
        "How values between pixels are found.",
        choice("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"),
    ),
    "fill_mode": ("What the padding holds.", choice("constant")),
    "window": ("A window function over a frame.", choice("hann", "hamming")),
    "implementation": ("1: less memory, 2: fewer and larger products.", choice(1, 2)),
    "use_cudnn": ("Whether cuDNN's kernel may run.", choice(True, False, "auto")),
    "merge_mode": (
        "How the two directions are put together.",
        choice("concat", "sum", "mul", "ave", None),
    ),
    "quantiles": (
        "Quantiles in order, each above 0 and below 1.",
        {
            "type": "array",
            "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "minItems": 1,
            "maxItems": 1000,
            "uniqueItems": True,
        },
    ),
    "level": (
        "A chance above 0 and below 1.",
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ),
    "forecast": (
        "A distribution of numbers, or of counts.",
        {"enum": ["normal", "student_t", "negative_binomial", "poisson"]},
    ),
    "number_list": ("A list of numbers.", items(number())),
    "renorm_clipping": (
        "Bounds on the corrections of batch renormalisation.",
        {
            "type": "object",
            "properties": {
                "rmin": bound("The smallest factor.", 0.3),
                "rmax": bound("The largest factor.", 3.0),
                "dmax": bound("The largest shift.", 5.0),
            },
            "additionalProperties": False,
        },
    ),
    "reduction": (
        "How the losses of a batch become one number.",
        choice("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight"),
    ),
    "thresholds": ("A threshold, or a list of them.", single_or_list(UNIT, items(UNIT))),
    "class_ids": ("A list of classes, counted from 0.", items(WHOLE)),
    "average": ("How classes are averaged.", choice("micro", "macro", "weighted")),
    "curve": ("The curve whose area is taken.", choice("ROC", "PR", "PRGAIN")),
    "summation_method": (
        "How the area is summed.",
        choice("interpolation", "minoring", "majoring"),
    ),
    "class_aggregation": (
        "How outputs are averaged.",
        choice("uniform_average", "variance_weighted_average", None),
    ),
    "fan": ("Which connections count.", choice("fan_in", "fan_out", "fan_avg")),
    "distribution": (
        "The distribution drawn from.",
        choice("uniform", "truncated_normal", "untruncated_normal"),
    ),
    "row_mode": ("Which vectors are made orthogonal.", choice("rows", "columns")),
}
