"""Which arguments take which values, and which classes and arguments a recipe does not have.

A class or an argument that is new in Keras has no entry here yet: `generate.py` stops and names it.
"""

from typing import Any

# Keras's functions that are no activations of a recipe's layers, and what to do instead.
REFUSED_ACTIVATIONS = {
    "glu": "it halves the features that the layer says it gives; multiply two layers, one of them"
    " with `activation: sigmoid`",
    # tests/test_silent_results_bias.py shows it.
    "sparsemax": "Keras computes it wrongly: its rows do not sum to 1; use softmax",
    "threshold": "it needs arguments, which an activation has no place for; use a relu layer with"
    " `threshold:`",
}

# Value name: the arguments that take it, as `argument` or, before that, `Class.argument`. An
# argument also takes null where its default is null. Booleans are known by their default.
LAYER_ARGUMENTS = {
    "count": "units filters groups depth_multiplier input_dim output_dim num_heads key_dim"
    " value_dim head_dim num_query_heads num_key_value_heads sliding_window lora_rank height"
    " width num_tokens fft_length sequence_stride sequence_length sampling_rate num_mel_bins"
    " power_iterations UpSampling1D.size num_bins output_sequence_length",
    "token_count": "max_tokens",
    "ngrams": "ngrams",
    "standardize": "standardize",
    "split": "split",
    "token": "StringLookup.mask_token oov_token",
    "integer_token": "IntegerLookup.mask_token IntegerLookup.oov_token",
    "hashed_value": "Hashing.mask_value",
    "salt": "salt",
    "vocabulary": "vocabulary",
    "integer_vocabulary": "IntegerLookup.vocabulary",
    "number_list": "idf_weights bin_boundaries",
    "lookup_mode": "StringLookup.output_mode IntegerLookup.output_mode",
    "text_mode": "TextVectorization.output_mode",
    "bin_mode": "Discretization.output_mode Hashing.output_mode",
    "count_or_size": "RepeatVector.n",
    "whole": "seed num_oov_indices",
    "integer": "Concatenate.axis BatchNormalization.axis GroupNormalization.axis",
    "number": "mask_value alpha fill_value top_db lora_alpha",
    "numbers": "mean variance Rescaling.scale offset",
    "open_unit": "Discretization.epsilon",
    "positive": "epsilon mag_exp min_power ref_power max_freq logit_soft_cap",
    "non_negative": "l1 l2 negative_slope max_value ReLU.threshold min_freq",
    "unit": "momentum renorm_momentum GaussianNoise.stddev",
    "rate": "rate dropout recurrent_dropout",
    "boolean": "flash_attention",
    "size{rank}": "kernel_size strides pool_size dilation_rate size output_size",
    "offset{rank}": "output_padding",
    "margin{rank}": "cropping ZeroPadding1D.padding ZeroPadding2D.padding ZeroPadding3D.padding",
    "axes": "axis attention_axes shared_axes",
    "axes_or_none": "Normalization.axis",
    "contracted_axes": "axes",
    "dimensions": "noise_shape",
    "output_shape": "output_shape",
    "target_shape": "target_shape",
    "permutation": "dims",
    "groups": "GroupNormalization.groups",
    "equation": "equation",
    "letters": "bias_axes",
    "data_format": "data_format",
    "padding": "padding",
    "causal_padding": "Conv1D.padding",
    "float_dtype": "reverse_dtype",
    "score_mode": "score_mode",
    "encoding": "output_mode",
    "interpolation": "interpolation",
    "fill_mode": "fill_mode",
    "window": "window",
    "implementation": "implementation",
    "use_cudnn": "use_cudnn",
    "renorm_clipping": "renorm_clipping",
    "activation": "activation recurrent_activation",
    "vector_initializer": "bias_initializer",
    "initializer": "alpha_initializer beta_initializer depthwise_initializer"
    " embeddings_initializer gamma_initializer kernel_initializer moving_mean_initializer"
    " moving_variance_initializer pointwise_initializer recurrent_initializer",
    "regularizer": "activity_regularizer alpha_regularizer beta_regularizer bias_regularizer"
    " depthwise_regularizer embeddings_regularizer gamma_regularizer kernel_regularizer"
    " pointwise_regularizer recurrent_regularizer",
    "constraint": "alpha_constraint beta_constraint bias_constraint depthwise_constraint"
    " embeddings_constraint gamma_constraint kernel_constraint pointwise_constraint"
    " recurrent_constraint",
    "inner_layer": "layer",
    "steps_layer": "TimeDistributed.layer",
}
OBJECT_ARGUMENTS: dict[str, dict[str, str]] = {
    "initializer": {
        "number": "mean value minval maxval gain",
        "non_negative": "stddev",
        "positive": "scale",
        "whole": "seed",
        "axes": "input_axes output_axes",
        "fan": "mode",
        "distribution": "distribution",
    },
    "regularizer": {"non_negative": "l1 l2 factor", "row_mode": "mode"},
    "constraint": {"non_negative": "min_value max_value", "unit": "rate", "axes": "axis"},
    "learning_rate_schedule": {
        "non_negative": "initial_learning_rate alpha end_learning_rate warmup_target decay_rate",
        "positive": "t_mul m_mul power",
        "count": "decay_steps first_decay_steps",
        "whole": "warmup_steps",
        "number_list": "boundaries values",
    },
    "optimizer": {
        "learning_rate": "learning_rate",
        "number": "beta_2_decay muon_a muon_b muon_c",
        "positive": "epsilon epsilon_1 epsilon_2 clipnorm clipvalue global_clipnorm"
        " loss_scale_factor clip_threshold adam_lr_ratio rms_rate",
        "non_negative": "weight_decay adam_weight_decay initial_accumulator_value beta"
        " l1_regularization_strength l2_regularization_strength"
        " l2_shrinkage_regularization_strength",
        "non_positive": "learning_rate_power",
        "open_unit": "Lion.beta_1",
        "unit": "beta_1 beta_2 adam_beta_1 adam_beta_2 rho momentum ema_momentum",
        "count": "ema_overwrite_frequency ns_steps",
        "whole": "warmup_steps",
        "steps": "gradient_accumulation_steps",
        "texts": "exclude_layers",
    },
    "loss": {
        "reduction": "reduction",
        "integer": "axis ignore_class",
        "axes": "Dice.axis Tversky.axis",
        "unit": "label_smoothing margin alpha",
        "non_negative": "gamma beta Tversky.alpha",
        "numbers": "CategoricalFocalCrossentropy.alpha",
        "positive": "delta",
        "quantiles": "quantiles",
        "forecast": "distribution",
    },
    "metric": {
        "level": "level",
        "text": "name",
        "integer": "axis ignore_class",
        "unit": "label_smoothing recall precision sensitivity specificity"
        " BinaryAccuracy.threshold BinaryIoU.threshold",
        "count": "k top_k num_classes num_labels",
        "steps": "num_thresholds",
        "whole": "class_id num_regressors",
        "thresholds": "thresholds",
        "threshold": "threshold",
        "class_ids": "target_class_ids",
        "number_list": "label_weights",
        "positive": "scale beta",
        "average": "average",
        "curve": "curve",
        "summation_method": "summation_method",
        "class_aggregation": "class_aggregation",
    },
}

# Arguments of any class that a recipe writes elsewhere or not at all: `name` is the layer's key,
# `dtype` is `dtype_policy`, weights and quantization come from a file and not from a recipe.
IN_CALL = ("use_causal_mask",)
"""Arguments that Keras takes when a layer is called, and not when it is made."""

LEFT_OUT = {"name", "dtype", "weights", "quantization_config", "gptq_unpacked_column_size"}
LEFT_OUT_OF = {
    # The loss of the output says these.
    "CRPS": {"quantiles", "distribution"},
    "Coverage": {"quantiles", "distribution"},
    "WeightedQuantileLoss": {"quantiles"},
    # A sparse tensor fits no other layer of a recipe.
    "CategoryEncoding": {"sparse"},
    "Discretization": {"sparse"},
    "Hashing": {"sparse"},
    # Ids of a recipe are int64, by one way to hash; names of classes come from `data:`.
    "StringLookup": {"sparse", "invert", "encoding", "oov_method", "salt"},
    "IntegerLookup": {"sparse", "invert", "vocabulary_dtype", "oov_method", "salt"},
    "TextVectorization": {"sparse", "ragged", "encoding"},
    # One tensor comes out of a layer in the catalogue, and nothing resets a carried state.
    "ConvLSTM1D": {"return_state", "stateful"},
    "ConvLSTM2D": {"return_state", "stateful"},
    "ConvLSTM3D": {"return_state", "stateful"},
}
# Arguments that a class takes through its **kwargs.
THROUGH_KWARGS: dict[str, dict[str, Any]] = {
    "LSTM": {"zero_output_for_mask": False, "implementation": 2},
    "GRU": {"zero_output_for_mask": False, "implementation": 2},
    "SimpleRNN": {"zero_output_for_mask": False},
    "ConvLSTM1D": {"zero_output_for_mask": False},
    "ConvLSTM2D": {"zero_output_for_mask": False},
    "ConvLSTM3D": {"zero_output_for_mask": False},
    "EinsumDense": {"activity_regularizer": None},
    "ReversibleEmbedding": {"lora_rank": None, "lora_alpha": None},
}
# Arguments with a default that a recipe has to write all the same: without `num_tokens` Keras
# fails.
REQUIRED_OF = {"CategoryEncoding": ["num_tokens"]}

# Arguments without which Keras makes no layer, though they have a default.
ONE_OF = {"Discretization": ("num_bins",)}

# What to build a layer of each class with, to look at the instance.
SAMPLES: dict[str, Any] = {
    "activation": "relu",
    "axes": 1,
    "dims": [1],
    "equation": "ab,bc->ac",
    "mean": 0.0,
    "output_shape": 1,
    "rate": 0.5,
    "scale": 1.0,
    "stddev": 0.5,
    "target_shape": [1],
    "variance": 1.0,
}

RECURRENT = ("LSTM", "GRU", "SimpleRNN")
# Keras's snake case splits these where nobody would.
SHORT_NAMES = {
    "CRPS": ["continuous_ranked_probability_score"],
    "MeanAbsoluteScaledError": ["mase", "MASE"],
    "NegativeLogLikelihood": ["nll", "NLL"],
    "SymmetricMeanAbsolutePercentageError": ["smape", "SMAPE"],
}
"""Further spellings of lstmgraph's own losses and metrics."""
SNAKE_CASE = {"ReLU": "relu", "PReLU": "prelu", "LeakyReLU": "leaky_relu"}

# Classes that Keras accepts by no name, or that a recipe cannot use, by kind.
CLASSES_LEFT_OUT: dict[str, dict[str, str]] = {
    "initializer": {"Initializer": "a base class", "STFT": "needs SciPy"},
    "regularizer": {"Regularizer": "a base class"},
    "constraint": {"Constraint": "a base class"},
    "learning_rate_schedule": {"LearningRateSchedule": "a base class"},
    "optimizer": {
        "Optimizer": "a base class",
        "LossScaleOptimizer": "added where the dtype policy asks for it",
        "MultiOptimizer": "made by `learning_rates` of `training`",
        "OptimizerMap": "made by `learning_rates` of `training`",
        "Lamb": "keras.optimizers.get does not know it",
    },
    "loss": {
        "Loss": "a base class",
        "CategoricalGeneralizedCrossEntropy": "keras.losses.get does not know it",
    },
    "metric": {
        "Metric": "a base class",
        "MeanMetricWrapper": "wraps a Python function",
        "Mean": "would read the predictions as sample weights",
        "Sum": "would read the predictions as sample weights",
    },
}
# Classes that work only with arguments: get(NAME) of these fails, so they take the mapping form.
MAPPING_ONLY = {"initializer": {"Constant"}}

CODE = "it runs Python code, and a recipe is data; build it from the catalogue's layers instead"
CELL = (
    "a cell stands in the `cells:` of `type: rnn`, such as `cells: [{type: lstm_cell, units: 32}]`"
)
AUGMENTATION = "image augmentation belongs in the data pipeline; apply it to the data set there"
AUGMENTATIONS = """
    AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MixUp
    RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop
    RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue
    RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
    RandomSharpness RandomShear RandomTranslation RandomZoom Solarization
"""
REFUSED_LAYERS = {
    "Bidirectional": "it wraps another layer; write `bidirectional: true` on the lstm, gru or"
    " simple_rnn",
    "FlaxLayer": CODE,
    "GRUCell": CELL,
    "HashedCrossing": "it takes several inputs at once; make a column of both values, and use"
    " hashing",
    "InputLayer": "it is not a layer of a recipe; write the input under `inputs:`",
    "InputSpec": "it is not a layer; write shapes under `inputs:`",
    "JaxLayer": CODE,
    "LSTMCell": CELL,
    "Lambda": CODE,
    "Layer": "it is a base class that computes nothing; use a layer that does, or identity",
    "MaxNumBoundingBoxes": "it takes bounding boxes and not a tensor; cut them in the data"
    " pipeline",
    "Pipeline": "it runs layers in a row; write them one by one, each with the last as its `input`",
    "RNN": "write `type: rnn` with its `cells:`, such as `cells: [{type: lstm_cell, units: 32}]`",
    "STFTSpectrogram": "it needs SciPy, which is not a dependency; use mel_spectrogram, or compute"
    " it in the data pipeline",
    "SimpleRNNCell": CELL,
    "StackedRNNCells": CELL,
    "TFSMLayer": "it loads code from a file, and a recipe is data; build it from the catalogue's"
    " layers instead",
    "TorchModuleWrapper": CODE,
    "Wrapper": "it is a base class; use time_distributed or spectral_normalization",
    **dict.fromkeys(AUGMENTATIONS.split(), AUGMENTATION),
}
