"""The name that a message suggests: for misspellings of the whole catalogue, and for habits."""

from __future__ import annotations

import pytest
from building import with_header

import lstmgraph
from lstmgraph.messages.errors import RecipeError
from lstmgraph.messages.wording import nearest
from lstmgraph.resources import KERAS_SCHEMA, read_schema

CATALOGUE = read_schema(KERAS_SCHEMA)
FAMILIES: dict[str, dict[str, str]] = {
    **CATALOGUE["x-names"],
    "layer": {name: name.replace("_", "").lower() for name in CATALOGUE["x-layer-names"]},
    "activation": {name: name for name in CATALOGUE["$defs"]["activation"]["enum"]},
}
"""By family, the class of each of its names."""


AMBIGUOUS = ("con1vd", "con2vd")
"""As near to ``conv3d``."""


def misspellings(name: str) -> set[str]:
    """What a hurried hand makes of a name."""
    middle = len(name) // 2
    found = {name.replace("_", ""), name.title().replace("_", ""), name.replace("_", "-")}
    if len(name) >= 6:
        found.add(name[:middle] + name[middle + 1 :])
        found.add(name[:middle] + name[middle] + name[middle:])
        found.add(name[:middle] + name[middle + 1] + name[middle] + name[middle + 2 :])
        found.add(name[:-1])
    return found - {name}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_name_of_the_catalogue_is_found(family: str) -> None:
    classes = FAMILIES[family]
    known = [name for name in classes if name.islower()]
    other = {
        f"{wrong}: {near}, not {name}"
        for name in known
        for wrong in misspellings(name)
        if wrong not in {*known, *AMBIGUOUS}
        if (near := nearest(wrong, known)) is None or classes[near] != classes[name]
    }
    assert not other


HABITS = {
    "loss": {
        "sparse_categorical_crossentropy": "nll NLLLoss ce scce crossentropy CrossEntropyLoss "
        "softmax_crossentropy sparse_crossentropy sparse_categorical_cross_entropy",
        "categorical_crossentropy": "cce categorical_cross_entropy",
        "binary_crossentropy": "binary_ce log_loss logloss bce_with_logits BCEWithLogitsLoss "
        "sigmoid_crossentropy binary_cross_entropy",
        "mae": "l1 L1Loss",
        "mse": "l2 MSELoss rmse",
        "huber": "huber_loss smooth_l1 SmoothL1Loss",
        "kl_divergence": "kl kl_div KLDivLoss",
        "binary_focal_crossentropy": "focal focal_loss",
        "mean_squared_error": "mean_square_error mean_sqaured_error",
        "cosine_similarity": "cosine",
        "poisson": "poisson_nll",
        "ctc": "ctc_loss CTCLoss",
    },
    "metric": {
        "accuracy": "acc accuracy_score",
        "auc": "auroc roc_auc auc_roc",
        "f1_score": "f1 f1score F1",
        "f_beta_score": "fbeta",
        "io_u": "iou IOU jaccard",
        "mean_io_u": "miou mean_iou MeanIoU",
        "root_mean_squared_error": "rmse",
        "mae": "l1",
        "mse": "l2",
        "recall": "sensitivity recall_score",
        "specificity_at_sensitivity": "specificity",
        "sparse_categorical_accuracy": "sparse_accuracy sparse_acc",
        "top_k_categorical_accuracy": "top_k_accuracy top_k top_5 top5_accuracy",
        "pearson_correlation": "pearson pearsonr",
        "r2_score": "r2",
        "true_positives": "tp",
        "false_negatives": "fn",
    },
    "layer": {
        "dense": "linear fc fully_connected",
        "conv1d": "conv conv_1d",
        "max_pooling1d": "maxpool max_pool1d MaxPool1d",
        "average_pooling1d": "avgpool avg_pool1d",
        "batch_normalization": "batchnorm BatchNorm bn",
        "layer_normalization": "layernorm LayerNorm",
        "multi_head_attention": "mha multihead_attention self_attention",
        "concatenate": "concat",
        "lstm": "bilstm BiLSTM lstm_layer",
        "embedding": "embed",
    },
    "activation": {
        "leaky_relu": "lrelu leakyrelu",
        "sigmoid": "logistic",
        "linear": "none identity",
        "hard_swish": "hardswish",
    },
    "initializer": {
        "glorot_uniform": "xavier xavier_uniform glorot",
        "glorot_normal": "xavier_normal",
        "he_normal": "kaiming_normal",
        "random_normal": "gaussian",
    },
    "optimizer": {"sgd": "sgdm momentum", "adamw": "adam_w", "rmsprop": "rms_prop"},
    "regularizer": {"l2": "weight_decay ridge", "l1": "lasso"},
    "learning_rate_schedule": {"cosine_decay": "cosine cosine_annealing"},
}
"""Words of PyTorch, SciPy, scikit-learn and of papers, by the name here."""


@pytest.mark.parametrize("family", HABITS)
def test_words_of_other_tools_lead_to_a_name(family: str) -> None:
    known = [name for name in FAMILIES[family] if name.islower()]
    for wanted, words in HABITS[family].items():
        assert {word: nearest(word, known) for word in words.split()} == dict.fromkeys(
            words.split(), wanted
        )


RECIPE = """
inputs: {x: {shape: [time, 3]}}
layers:
  r: {type: lstm, input: x, units: 4}
  fault: {type: dense, input: r, units: 2, activation: softmax}
  price: {type: dense, input: r, units: 1}
outputs: {fault: fault, price: price}
training:
  loss: {fault: sparse_categorical_crossentropy, price: mse}
  metrics: {fault: [METRIC], price: [mae]}
  callbacks: {early_stopping: {monitor: MONITOR}}
"""


def found(metric: str = "accuracy", monitor: str = "val_loss") -> list[str]:
    text = RECIPE.replace("METRIC", metric).replace("MONITOR", monitor)
    try:
        lstmgraph.load(with_header(text))
    except RecipeError as error:
        return [f"{each.message}; {each.hint}" for each in error.diagnostics]
    return []


@pytest.mark.parametrize(
    ("monitor", "wanted"),
    [
        ("val_accuracy", "val_fault_accuracy"),
        ("val_acc", "val_fault_accuracy"),
        ("accuracy", "fault_accuracy"),
        ("val_mae", "val_price_mae"),
        ("fault_acuracy", "fault_accuracy"),
    ],
)
def test_a_monitor_without_its_output_is_found(monitor: str, wanted: str) -> None:
    (message,) = found(monitor=monitor)
    assert f"did you mean '{wanted}'?" in message


@pytest.mark.parametrize("word", ["mean_io_u", "mean_iou", "MeanIoU"])
def test_a_name_that_needs_arguments_is_written_with_them(word: str) -> None:
    (message,) = found(metric=word)
    assert message.endswith("write {type: mean_io_u, num_classes: 10}")
    # What is written is a metric.
    assert not [each for each in found("{type: mean_io_u, num_classes: 2}") if "cannot be" in each]
