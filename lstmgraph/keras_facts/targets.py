"""What each loss and metric of Keras reads: which targets, how many units, which values.

Sources: ``keras/src/losses/losses.py`` and ``keras/src/metrics`` of Keras 3.15.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lstmgraph.keras_facts.catalogue import family_defaults, named_class
from lstmgraph.keras_facts.distributions import OF_COUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBERS, IDS, LABELS, GROUPS, VALUES = "numbers", "ids", "labels", "groups", "values"
"""Targets: as many numbers as the output; the id of a class; a sequence of ids; an id per row; one
number where the output has several, which are its quantiles or the parameters of a distribution.
"""

ANY, CHANCES, POSITIVE, LOGITS, OWN_IDS, DIRECTIONS = (
    *("any", "chances", "positive", "logits", "own ids"),
    "directions",
)
"""Values of the output: any number, from 0 to 1, above 0, any but chances, ids, of length 1."""

CHANCE, BIT, SIGN, COUNT, SHARES = "chance", "bit", "sign", "count", "shares"
"""Values of targets: from 0 to 1; 0 or 1; -1 or 1; from 0; from 0 to 1, and adding up to 1."""

STEP, ROW, BATCH = "step", "row", "batch"
"""What a loss is one number of."""


OF_DISTANCES = frozenset({"Huber", "LogCosh", "MeanAbsoluteError", "MeanSquaredError", "Pinball"})
"""Losses of distances in the unit of the target, which are computed on scaled numbers."""


OF_POINTS = frozenset(
    {"LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanAbsoluteScaledError"}
    | {"MeanSquaredError", "MeanSquaredLogarithmicError", "R2Score", "RootMeanSquaredError"}
    | {"SymmetricMeanAbsolutePercentageError"}
)
"""Metrics of errors, which of quantiles read the median, and of a distribution the mean."""


@dataclass(frozen=True)
class Reading:
    """What a loss or a metric reads."""

    targets: str = NUMBERS
    fewest: int = 1
    """The least units of the output of which it says something."""
    values: str = ANY
    """Values of the output."""
    of: str = ANY
    """Values of the targets."""


_NUMBERS = Reading()
_VALUES = Reading(VALUES)
_SEVERAL = Reading(fewest=2)
_COUNTS = Reading(values=POSITIVE, of=COUNT)
_SIGNS = Reading(of=SIGN)
_CHANCES = Reading(values=CHANCES, of=CHANCE)
_BITS = Reading(values=CHANCES, of=BIT)
_SHARES = Reading(fewest=2, values=CHANCES, of=SHARES)
_IDS = Reading(IDS, fewest=2)
_CHOSEN_IDS = Reading(IDS, fewest=2, values=CHANCES)
_OWN_IDS = Reading(values=OWN_IDS)

LOSSES: Mapping[str, Reading] = {
    "BinaryCrossentropy": _CHANCES,
    "BinaryFocalCrossentropy": _CHANCES,
    "CTC": Reading(LABELS, fewest=2, values=LOGITS),
    "CategoricalCrossentropy": _SHARES,
    "CategoricalFocalCrossentropy": _SHARES,
    "CategoricalHinge": _SEVERAL,
    "Circle": Reading(GROUPS, fewest=2, values=DIRECTIONS),
    "CosineSimilarity": _SEVERAL,
    "Dice": _CHANCES,
    "Hinge": _SIGNS,
    "Huber": _NUMBERS,
    "KLDivergence": _SHARES,
    "LogCosh": _NUMBERS,
    "MeanAbsoluteError": _NUMBERS,
    "MeanAbsolutePercentageError": _NUMBERS,
    "MeanSquaredError": _NUMBERS,
    "MeanSquaredLogarithmicError": Reading(of=COUNT),
    "NegativeLogLikelihood": _VALUES,
    "Pinball": _VALUES,
    "Poisson": _COUNTS,
    "SparseCategoricalCrossentropy": _CHOSEN_IDS,
    "SquaredHinge": _SIGNS,
    "Tversky": _CHANCES,
}
METRICS: Mapping[str, Reading] = {
    "AUC": _BITS,
    "Accuracy": _NUMBERS,
    "BinaryAccuracy": _BITS,
    "BinaryCrossentropy": _CHANCES,
    "BinaryIoU": _BITS,
    "CRPS": _VALUES,
    "Coverage": _VALUES,
    "CategoricalAccuracy": _SEVERAL,
    "CategoricalCrossentropy": _SHARES,
    "CategoricalHinge": _SEVERAL,
    "ConcordanceCorrelation": _SEVERAL,
    "CosineSimilarity": _SEVERAL,
    "F1Score": Reading(of=BIT),
    "FBetaScore": Reading(of=BIT),
    "FalseNegatives": _BITS,
    "FalsePositives": _BITS,
    "Hinge": _SIGNS,
    "IoU": _OWN_IDS,
    "KLDivergence": _SHARES,
    "LogCoshError": _NUMBERS,
    "MeanAbsoluteError": _NUMBERS,
    "MeanAbsolutePercentageError": _NUMBERS,
    "MeanAbsoluteScaledError": _NUMBERS,
    "MeanIoU": _OWN_IDS,
    "MeanSquaredError": _NUMBERS,
    "MeanSquaredLogarithmicError": Reading(of=COUNT),
    "OneHotIoU": _SEVERAL,
    "OneHotMeanIoU": _SEVERAL,
    "PearsonCorrelation": _SEVERAL,
    "Poisson": _COUNTS,
    "Precision": _BITS,
    "PrecisionAtRecall": _BITS,
    "R2Score": _NUMBERS,
    "Recall": _BITS,
    "RecallAtPrecision": _BITS,
    "RootMeanSquaredError": _NUMBERS,
    "SensitivityAtSpecificity": _BITS,
    "SparseCategoricalAccuracy": _IDS,
    "SparseCategoricalCrossentropy": _CHOSEN_IDS,
    "SparseTopKCategoricalAccuracy": _IDS,
    "SpecificityAtSensitivity": _BITS,
    "SquaredHinge": _SIGNS,
    "SymmetricMeanAbsolutePercentageError": _NUMBERS,
    "TopKCategoricalAccuracy": _SEVERAL,
    "TrueNegatives": _BITS,
    "TruePositives": _BITS,
    "WeightedQuantileLoss": _VALUES,
}
_FAMILIES = {"loss": LOSSES, "metric": METRICS}

THRESHOLDS = ("threshold", "thresholds", "top_k")
"""Arguments with which a metric of chances says where they begin."""

RANKS: Mapping[str, int] = {"CTC": 3, "Circle": 2}
"""Losses that take outputs of one rank alone, the batch included."""


def arguments_of(family: str, written: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a loss or metric as a recipe writes it, with Keras's defaults."""
    own = {"type": written} if isinstance(written, str) else written
    return {**family_defaults(family, own["type"]), **own}


def reading(family: str, written: str | Mapping[str, Any]) -> Reading:
    """Return what a loss or metric reads, as its arguments say.

    Args:
        family: ``loss`` or ``metric``.
        written: the name or the mapping of the recipe.
    """
    arguments = arguments_of(family, written)
    name = named_class(family, arguments["type"])
    found = _FAMILIES[family][name]
    if arguments.get("distribution") in OF_COUNTS:
        found = replace(found, of=COUNT)
    if found.values == CHANCES and arguments.get("from_logits"):
        found = replace(found, values=ANY)
    if found.values == CHANCES and any(arguments.get(key) is not None for key in THRESHOLDS):
        default = family_defaults(family, arguments["type"])
        if any(arguments.get(key) != default.get(key) for key in THRESHOLDS):
            found = replace(found, values=ANY)
    if "sparse_y_pred" in arguments:
        ids = arguments.get("sparse_y_true", False)
        if not arguments["sparse_y_pred"]:
            found = Reading(IDS if ids else NUMBERS, fewest=2)
        elif not ids:  # ids beside one number for each class
            found = replace(_OWN_IDS, fewest=2)
    return found


def span(loss: str, axis: Any, rank: int) -> str | None:
    """Return what a loss of outputs of `rank` axes is one number of; None for anything else.

    Args:
        loss: Keras's class name.
        axis: its `axis`; None where it has none.
        rank: the number of the output's axes, the batch included.
    """
    if loss in ("CTC", "Circle"):
        return ROW
    if loss not in ("Dice", "Tversky"):
        return STEP if axis is None or _places(axis, rank) == {rank - 1} else None
    if axis is None or _places(axis, rank) == set(range(rank)):
        return BATCH
    if _places(axis, rank) == {rank - 1}:
        return STEP
    return ROW if _places(axis, rank) == set(range(1, rank)) else None


def _places(axis: Any, rank: int) -> set[int]:
    given = axis if isinstance(axis, list | tuple) else [axis]
    return {each % rank if -rank <= each < rank else -1 for each in given}


def is_by_output(loss: Any) -> bool:
    """Return whether `loss` maps outputs to losses, rather than being one loss for all."""
    return isinstance(loss, dict) and "type" not in loss
