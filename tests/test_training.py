"""Training: the numbers of a fit written by hand, the files, and what is said of bad data."""

from __future__ import annotations

import csv
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from building import RECIPES, with_header
from training_cases import CASES, arrays, recipe, train_small

import lstmgraph
from lstmgraph.data.examples import Examples
from lstmgraph.data.fields import Rows
from lstmgraph.training import DivergedError, FolderError, TrainingResult

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


Trained = Callable[[str], tuple[Path, TrainingResult]]
ALL_TRAIN = {"data": {"split": {"validation": 0}}}


class ByHand(keras.utils.PyDataset):
    """The documented order of the rows, drawn again with nothing but NumPy."""

    def __init__(self, data, size: int, *, shuffle: bool, whole: bool) -> None:
        super().__init__()
        self.data, self.size, self.shuffle, self.whole = data, size, shuffle, whole
        self.rows = len(data[1]["y"])
        self.order = np.arange(self.rows)

    def begin(self, epoch: int, seed: int = 5) -> None:
        if self.shuffle:
            bits = np.random.PCG64(np.random.SeedSequence([seed, epoch]))
            self.order = np.random.Generator(bits).permutation(self.rows)

    def __len__(self) -> int:
        return self.rows // self.size if self.whole else -(-self.rows // self.size)

    def __getitem__(self, index: int):
        rows = self.order[index * self.size : (index + 1) * self.size]
        return tuple({name: array[rows] for name, array in part.items()} for part in self.data)


def fit_by_hand(case: str, model: keras.Model) -> keras.callbacks.History:
    whole, shuffle = case == "carried", case in {"stopping", "schedule"}
    size = 6 if whole else 8
    train = ByHand(arrays(), size, shuffle=shuffle, whole=whole)
    held_out = ByHand(arrays(13, seed=1), size, shuffle=False, whole=whole)

    class Begin(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):  # noqa: ARG002
            train.begin(epoch)
            self.on_test_begin()

        def on_test_begin(self, logs=None):  # noqa: ARG002
            if whole:
                model.get_layer("reader").reset_state()

    callbacks: list[keras.callbacks.Callback] = [Begin()]
    if case == "stopping":
        callbacks += [
            keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5, monitor="val_mae"),
        ]
    epochs = 6 if whole else 8
    return model.fit(
        train,
        validation_data=held_out,
        callbacks=callbacks,
        epochs=epochs,
        shuffle=False,  # Keras would shuffle whole batches
        verbose=0,
    )


@pytest.fixture
def as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are read one by one, as those of data that are larger than memory."""
    monkeypatch.setitem(Examples.as_keras.__kwdefaults__, "in_memory", 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """By case its folder, which no test changes, and what the training gave."""

    @cache
    def found(case: str) -> tuple[Path, TrainingResult]:
        folder = tmp_path_factory.mktemp(case)
        return folder, train_small(case, str(folder))

    return found


@pytest.fixture
def copied(trained: Trained, tmp_path: Path) -> Path:
    """A folder with an unshuffled training of 8 epochs."""
    return shutil.copytree(trained("unshuffled")[0], tmp_path / "copied")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_a_fit_by_hand(
    case: str, trained: Trained, request: pytest.FixtureRequest
) -> None:
    if case == "schedule":
        request.getfixturevalue("as_it_is_read")
    _, result = trained(case)
    model = recipe(case).build()
    wanted = fit_by_hand(case, model).history
    for name in ("loss", "val_loss", *(["mae", "val_mae"] if case != "carried" else [])):
        assert result.history[name] == wanted[name]
    for found, by_hand in zip(result.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, by_hand)
    # Of the final weights, which early stopping and averages over steps (`use_ema`) change.
    carried = case == "carried"
    held_out = ByHand(arrays(13, seed=1), 6 if carried else 8, shuffle=False, whole=carried)
    if carried:
        model.get_layer("reader").reset_state()
    assert result.metrics["validation"] == model.evaluate(held_out, return_dict=True, verbose=0)
    if case == "stopping":
        assert result.stopped_early
        assert result.epochs < 8
        assert result.best_epoch == 1 + int(np.argmin(wanted["val_loss"]))
        assert result.history["learning_rate"] == wanted["learning_rate"]
        assert len(set(wanted["learning_rate"])) > 1


@pytest.mark.slow
def test_the_folder_holds_all_that_the_training_was(trained: Trained) -> None:
    folder, result = trained("stopping")
    assert {path.name for path in folder.iterdir()} - {".lock"} == {
        "small.keras",
        "best.keras",
        "checkpoint.keras",
        "results.json",
        "history.csv",
        "history.svg",
        "small.resolved.yaml",
        "environment.json",
    }
    resolved = lstmgraph.load(folder / "small.resolved.yaml")
    assert resolved.training == recipe("stopping").training
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(n + 1) for n in range(result.epochs)]
    assert [float(row["val_mae"]) for row in rows] == result.history["val_mae"]
    assert all(float(row["seconds"]) >= 0 for row in rows)
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["keras"] == keras.__version__
    assert environment["packages"]["numpy"] == np.__version__
    inputs, targets = arrays(13, seed=1)
    best = lstmgraph.load_model(folder / "best.keras")
    best_epoch = int(np.argmin(result.history["val_mae"]))
    found = best.evaluate(inputs, targets, batch_size=8, return_dict=True, verbose=0)
    assert found["mae"] == pytest.approx(result.history["val_mae"][best_epoch], rel=1e-6)


@pytest.mark.slow
def test_the_picture_shows_every_metric(trained: Trained) -> None:
    folder, result = trained("unshuffled")
    space = "{http://www.w3.org/2000/svg}"
    root = ET.parse(folder / "history.svg").getroot()
    texts = {text.text for text in root.iter(f"{space}text")}
    assert {"small", "loss", "mae", "learning_rate", "epoch"} <= texts
    found = [line.get("d") for line in root.iter(f"{space}path")]
    curves = [re.findall(r"[ML]([\d.]+) ([\d.]+)", line) for line in found]
    assert [len(curve) for curve in curves] == [8] * 5
    # The first panel's training loss: from left to right, and high where the loss is.
    heights = [float(y) for _, y in curves[0]]
    assert np.argsort(heights).tolist() == np.argsort(result.history["loss"])[::-1].tolist()


@pytest.mark.slow
def test_a_training_can_be_watched_and_ended(tmp_path: Path, trained: Trained) -> None:
    """And while it runs, no other training gets into its folder."""
    seen: list[tuple[int, float]] = []

    def watch(epoch: int, metrics: dict[str, float]) -> bool:
        seen.append((epoch, metrics["val_loss"]))
        with pytest.raises(FolderError, match="another process is training"):
            train_small("unshuffled", str(tmp_path))
        return epoch == 3

    first = train_small("unshuffled", str(tmp_path), on_epoch=watch)
    assert seen == list(enumerate(first.history["val_loss"], start=1))
    assert (first.epochs, first.stopped_early) == (3, False)
    second = train_small("unshuffled", str(tmp_path))
    assert (second.epochs, second.resumed_from) == (8, 3)
    assert second.history == trained("unshuffled")[1].history


@pytest.mark.slow
def test_sample_weights_count(tmp_path: Path) -> None:
    """Rows of weight 0 train nothing: the targets there may be anything."""
    inputs, targets = arrays()
    weights = np.where(np.arange(len(targets["y"])) % 2, 1.0, 0.0)
    other = {"y": np.where(weights[:, None] > 0, targets["y"], 1e3)}
    weighted = [
        recipe().train((inputs, y, weights), folder=tmp_path / str(n), epochs=1)
        for n, y in enumerate((targets, other))
    ]
    assert weighted[0].history["loss"] == weighted[1].history["loss"]


@pytest.mark.slow
def test_two_outputs_are_watched_without_a_mode(tmp_path: Path) -> None:
    """By itself Keras cannot tell the direction of a metric of one of several outputs."""
    text = with_header("""
    inputs: {x: {shape: [5, 3]}}
    layers:
      reader: {type: lstm, input: x, units: 4}
      y: {type: dense, input: reader, units: 2}
      z: {type: dense, input: reader, units: 1, activation: sigmoid}
    outputs: {y: y, z: z}
    training:
      loss: {y: mse, z: mse}
      metrics: {y: [mae], z: [{type: auc}]}
      epochs: 2
      callbacks:
        early_stopping: {monitor: z_auc}
        checkpoint: {monitor: val_y_mae}
        tensorboard: true
    """)
    inputs, targets = arrays()
    targets["z"] = (targets["y"][:, :1] > 0).astype("float32")
    both = (inputs, targets)
    result = lstmgraph.load(text).train(both, validation=both, folder=tmp_path)
    names = ["loss", "y_loss", "z_loss", "y_mae", "z_auc"]
    validation = [f"val_{name}" for name in names]
    assert list(result.history) == [*names, *validation, "learning_rate"]
    assert list(result.metrics["validation"]) == names
    assert list(tmp_path.glob("tensorboard/train/events*"))


# --- what is refused ---


def test_data_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    inputs, targets = arrays()
    with pytest.raises(lstmgraph.DataError) as caught:
        recipe().train(({"x": inputs["x"][..., :2]}, {}), folder=tmp_path / "new")
    assert [problem.code for problem in caught.value.problems] == ["D201", "D203"]
    with pytest.raises(lstmgraph.DataError, match="4 examples do not fill one batch of 6"):
        recipe("carried").train((inputs, targets), validation=arrays(4), folder=tmp_path / "new")
    data = recipe().load_data((inputs, targets))
    with pytest.raises(ValueError, match="the data has its own parts"):
        recipe().train(data, validation=(inputs, targets), folder=tmp_path / "new")
    with pytest.raises(ValueError, match="the others must come from it"):
        recipe().train(data.train, validation=(inputs, targets), folder=tmp_path / "new")
    other = recipe(**{"outputs": {"forecast": "y"}})
    with pytest.raises(ValueError, match="loaded for another recipe, not for small"):
        other.train(data, folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("as_it_is_read")
def test_an_error_of_the_data_comes_as_it_is(tmp_path: Path) -> None:
    class Broken(Rows):
        def take(self, examples: np.ndarray) -> np.ndarray:
            if 30 in examples:
                raise OSError(5, "Input/output error", "x.npy")
            return super().take(examples)

    small = recipe(**ALL_TRAIN)
    train = small.load_data(arrays()).train
    x = train.source.inputs["x"]
    source = replace(train.source, inputs={"x": Broken(x.array, x.shape, x.dtype)})
    with pytest.raises(OSError, match="Input/output error"):
        small.train(replace(train, source=source), folder=tmp_path)


def test_validation_that_is_watched_is_needed(tmp_path: Path) -> None:
    with pytest.raises(lstmgraph.RecipeError, match="no validation data") as caught:
        recipe("stopping", **ALL_TRAIN).train(arrays(), folder=tmp_path / "new")
    assert {found.code for found in caught.value.diagnostics} == {"L764"}
    assert not (tmp_path / "new").exists()


def test_a_recipe_without_training_is_refused(tmp_path: Path) -> None:
    shipped = lstmgraph.load(RECIPES / "placeholder-states.yaml")
    with pytest.raises(ValueError, match="has no `training:` section"):
        shipped.train(arrays(), folder=tmp_path)


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_it_and_saves_nothing(copied: Path) -> None:
    inputs, targets = arrays()
    targets["y"][20] = 1e30  # its square is none of float32's
    with pytest.raises(DivergedError, match=r"the loss is inf after batch 3 of epoch 1;"):
        recipe(**ALL_TRAIN).train((inputs, targets), folder=copied, restart=True)
    assert not (copied / "checkpoint.keras").exists()


@pytest.mark.slow
def test_another_training_is_not_overwritten(copied: Path) -> None:
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    data, held_out = arrays(), arrays(13, seed=1)
    other = arrays(seed=3)
    wider = recipe(**{"layers.hidden.units": 7})
    for small, given, validation, seed, message in (
        (wider, data, held_out, None, r"-layers\.hidden\.units: 6\n  \+layers\.hidden\.units: 7"),
        (recipe(), data, held_out, 6, r"-seed: 5\n  \+seed: 6"),
        (recipe(), other, held_out, None, r"-data: 37 examples, \w+\n  \+data: 37 examples"),
        (recipe(), data, None, None, r"-data: 37 examples, \w+\n  \+data: 30 examples"),
        (recipe(), data, other, None, r"-validation: 13 examples, \w+\n  \+validation: 37 "),
    ):
        with pytest.raises(FolderError, match=message):
            small.train(given, validation=validation, folder=copied, seed=seed)
        assert {path.name: path.read_bytes() for path in copied.iterdir()} == before
    again = wider.train(other, validation=held_out, folder=copied, restart=True, epochs=1)
    assert (again.epochs, again.resumed_from) == (1, 0)


def test_a_model_that_build_wrote_is_not_overwritten(tmp_path: Path) -> None:
    small = recipe()
    small.save(small.build(), tmp_path / "small.keras")
    with pytest.raises(FolderError, match=r"small\.keras exists"):
        train_small("unshuffled", str(tmp_path))
