"""Which weights each command begins with: fresh ones, those of a model file, those of --weights."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
import numpy as np
import pytest
from building import randomise
from tuning_cases import QUICK, write_files
from typer.testing import CliRunner

import lstmgraph
from lstmgraph.cli import app
from lstmgraph.language.text.document import parse_document
from lstmgraph.messages.errors import FolderError, WeightsFileError
from lstmgraph.tuning.recipes import trial_payload
from lstmgraph.tuning.search.results import Objective
from lstmgraph.tuning.search.trial import Trial, TrialSpec
from lstmgraph.tuning.trial import run_trial
from lstmgraph.tuning.weights import begun_with

if TYPE_CHECKING:
    from typer.testing import Result

# Keras 3.15 writes weights with a call that NumPy 2 wants spelled otherwise.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("forked_servers"),
]

EDGE = Path(__file__).parent / "recipes" / "edges" / "train-from-a-model-file.yaml"
Arrays = list[np.ndarray]
SMALL = """\
recipe: 1
name: small
inputs: {x: {shape: [4, 3]}}
layers:
  f: {type: flatten, input: x}
  r: {type: dense, input: f, units: 3}
  y: {type: dense, input: r, units: 1}
outputs: {y: y}
training: {loss: mse, epochs: 1, batch_size: 16, optimizer: {type: sgd, learning_rate: 1e-12}}
runtime: {seed: 5}
"""
"""The learning rate changes nothing, so a trained model shows what it began with."""
RECIPE = "small.yaml"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with trained.keras, trained.weights.h5, by-hand.keras, and data.npz."""
    folder = tmp_path_factory.mktemp("begin")
    (folder / RECIPE).write_text(SMALL)
    recipe = lstmgraph.load(SMALL)
    model = recipe.build()
    randomise(model)
    recipe.save(model, folder / "trained.keras")
    model.save_weights(folder / "trained.weights.h5")
    model.save(folder / "by-hand.keras")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(24, 4, 3)), random.normal(size=(24, 1))
    np.savez(folder / "data.npz", x=x.astype("float32"), y=y.astype("float32"))
    return folder


def trained(place: Path) -> Arrays:
    """The file's weights, as Keras itself reads them."""
    return keras.models.load_model(place / "trained.keras").get_weights()


def fresh() -> Arrays:
    return lstmgraph.load(SMALL).build().get_weights()


def same(one: Arrays, other: Arrays) -> bool:
    shapes = [each.shape for each in one] == [each.shape for each in other]
    return shapes and all(np.allclose(*pair, atol=1e-9) for pair in zip(one, other, strict=True))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def written(folder: Path) -> Arrays:
    return keras.models.load_model(folder / "small.keras").get_weights()


@pytest.mark.parametrize(
    ("command", "source", "options", "begins"),
    [
        ("train", "trained.keras", (), "trained"),
        ("train", "trained.keras", ("--fresh",), "fresh"),
        ("train", RECIPE, (), "fresh"),
        ("train", RECIPE, ("--weights", "trained.weights.h5"), "trained"),
        ("train", RECIPE, ("--weights", "by-hand.keras"), "trained"),
        ("build", "trained.keras", (), "trained"),
        ("build", "trained.keras", ("--fresh",), "fresh"),
        ("build", RECIPE, (), "fresh"),
        ("build", RECIPE, ("--weights", "by-hand.keras"), "trained"),
        ("export --to keras", "trained.keras", (), "trained"),
        ("export --to keras", RECIPE, (), "fresh"),
        ("export --to keras", RECIPE, ("--weights", "trained.weights.h5"), "trained"),
    ],
)
def test_a_command_begins_with(  # noqa: PLR0913, PLR0917 - a row of the grid
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    source: str | Path,
    options: tuple[str, ...],
    begins: str,
) -> None:
    monkeypatch.chdir(place)
    data = ("--data", "data.npz") if command == "train" else ()
    result = run(*command.split(), source, *data, "-o", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert same(written(tmp_path), trained(place) if begins == "trained" else fresh())
    given = options[1] if "--weights" in options else source
    lines = [line for line in result.stdout.splitlines() if line.startswith("weights: ")]
    ends = ", 2 layers loaded" if command == "train" else ""
    says = [f"weights: {given}{ends}"]
    if begins == "fresh":
        says = ["weights: fresh ones; --weights FILE gives trained ones"] * ("export" in command)
    assert lines == says


@pytest.mark.slow
def test_python_begins_with_the_weights_of_a_model_file(place: Path, tmp_path: Path) -> None:
    recipe, weights = lstmgraph.load(place / "trained.keras"), trained(place)
    assert recipe.weights == place / "trained.keras"
    assert same(recipe.build().get_weights(), weights)
    assert same(recipe.build(weights=False).get_weights(), fresh())
    by_hand = lstmgraph.load(SMALL).build(weights=place / "by-hand.keras")
    assert same(by_hand.get_weights(), weights)
    assert same(recipe.models()[recipe.name].get_weights(), weights)
    slower = recipe.with_overrides({"training.optimizer.learning_rate": 1e-13})
    result = slower.train(place / "data.npz", folder=tmp_path)
    assert same(result.model.get_weights(), weights)
    assert result.as_dict()["weights"]["file"] == str(place / "trained.keras")
    with pytest.raises(lstmgraph.RecipeError, match="L804"):
        recipe.with_overrides({"layers.r.units": 4}).build()


@pytest.mark.slow
def test_a_model_file_with_a_loop(tmp_path: Path) -> None:
    """Of the case as it was found; the model of one step has the file's weights, too."""
    recipe = lstmgraph.load(EDGE)
    model = recipe.build()
    randomise(model)
    path = tmp_path / "trained.keras"
    recipe.save(model, path)
    np.savez(tmp_path / "data.npz", x=np.ones((8, 2, 3), "float32"), y=np.ones((8, 1), "float32"))
    again = lstmgraph.load(path)
    result = again.train(tmp_path / "data.npz", folder=tmp_path / "out")
    assert same(result.model.get_weights(), model.get_weights())
    assert same(again.derive("step").model.get_weights(), model.get_weights())
    assert run("build", path, "--derive", "step", "-o", tmp_path).exit_code == 0
    step = keras.models.load_model(tmp_path / f"{recipe.name}.step.keras")
    assert same(step.get_weights(), model.get_weights())


@pytest.mark.slow
def test_what_does_not_fit_is_said_and_begins_fresh(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `lstmgraph transfer` says it; nothing that fits is an error."""
    monkeypatch.chdir(place)
    data, given = ("--data", place / "data.npz"), ("--weights", place / "trained.keras")
    wider = ("--set", "layers.w={type: dense, input: r, units: 2}", "--set", "layers.y.input=w")
    result = run("train", RECIPE, *data, *given, *wider, "-o", tmp_path / "a", "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["weights"]["layers"]
    outcomes = {each["name"]: each["outcome"] for each in found}
    assert outcomes == {"r": "loaded", "w": "missing", "y": "shape"}
    assert same(written(tmp_path / "a")[:2], trained(place)[:2])
    lines = run("train", RECIPE, *data, *given, *wider, "-o", tmp_path / "b").stdout.splitlines()
    moved = run("transfer", place / "trained.keras", RECIPE, *wider, "-o", tmp_path / "moved.keras")
    said = [line for line in moved.stdout.splitlines() if not line.startswith(("loaded", "1 of"))]
    assert said[0] == (
        "missing    w: the file has no such layer; (3, 2), (2) keep their initial values"
    )
    begin = lines.index(f"weights: {place / 'trained.keras'}, 1 layer loaded")
    assert lines[begin + 1 : begin + 3] == said
    wide = ("--set", "layers.r.units=4")
    nothing = run("train", RECIPE, *data, *given, *wide, "-o", tmp_path / "c")
    assert nothing.exit_code == 1
    assert "fit a layer of the recipe:\nshape      r: the file has" in nothing.stderr
    assert not (tmp_path / "c").exists()
    both = run("train", RECIPE, *data, *given, "--fresh", "-o", tmp_path / "c")
    missing = run("tune", RECIPE, *data, "--weights", tmp_path / "no.keras")
    assert (both.exit_code, missing.exit_code) == (2, 2)


@pytest.mark.slow
def test_a_checkpoint_wins_and_another_file_is_noticed(place: Path, tmp_path: Path) -> None:
    """Resumed, a training has the numbers of one that was never stopped."""
    rate = {"training.optimizer.learning_rate": 0.1}
    recipe = lstmgraph.load(place / "trained.keras", overrides=rate)
    data, once, twice = place / "data.npz", tmp_path / "once", tmp_path / "twice"
    whole = recipe.train(data, folder=once, epochs=4)
    first = recipe.train(data, folder=twice, epochs=2)
    second = recipe.train(data, folder=twice, epochs=4)
    assert second.resumed_from == 2
    assert second.history["loss"] == whole.history["loss"]
    assert first.history["loss"] == whole.history["loss"][:2]
    for weights in (False, place / "trained.weights.h5"):  # the same numbers, in another file
        other = lstmgraph.load(SMALL, overrides=rate)
        if weights:
            assert other.train(data, folder=twice, epochs=4, weights=weights).resumed_from == 4
        else:
            with pytest.raises(FolderError, match=r"-weights: \w{32}\n  \+weights: fresh"):
                other.train(data, folder=twice, epochs=4, weights=weights)
    # The training's own result goes on from the checkpoint.
    own = lstmgraph.load(twice / f"{recipe.name}.keras")
    assert own.train(data, folder=twice, epochs=5).resumed_from == 4
    with pytest.raises(FolderError, match=r"would remove .*whose weights"):
        own.train(data, folder=twice, restart=True)
    assert (twice / "checkpoint.keras").exists()


FIXED = QUICK.replace(
    "thinned:", "narrow: {type: dense, input: thinned, units: UNITS}\n  thinned:"
).replace("y: {type: dense, input: thinned", "y: {type: dense, input: narrow")


def searched(units: str) -> str:
    return FIXED.replace("UNITS", units)


@pytest.mark.slow
def test_every_trial_begins_with_the_weights(tmp_path: Path) -> None:
    """The learning rate changes nothing, so the first loss is that of the weights."""
    still = searched("2").replace("learning_rate: 0.01", "learning_rate: 1e-12")
    recipe = lstmgraph.load(still)
    model = recipe.build()
    randomise(model)
    recipe.save(model, tmp_path / "begin.keras")
    _, data = write_files(tmp_path)
    weights = begun_with(recipe.compiled, tmp_path / "begin.keras").as_dict()
    job: dict[str, Any] = trial_payload(
        parse_document(still, "quick.yaml"), {"train": str(data)}, [Objective("val_loss", "min")]
    )
    found = []
    for number, rate in enumerate((0.1, 0.5)):
        folder = tmp_path / "out" / "trials" / f"{number:04d}"
        folder.mkdir(parents=True)
        spec = TrialSpec(
            number, str(folder), {"layers.thinned.rate": rate}, 7, job | {"weights": weights}
        )
        found.append(run_trial(Trial(spec)).metrics["val_loss"])
        best = keras.models.load_model(folder / "best.keras")
        assert same(best.get_weights(), model.get_weights())
    held_out = recipe.load_data(data).validation
    assert held_out is not None
    by_hand = model.evaluate(held_out.as_keras(8).dataset, verbose=0)
    assert found == pytest.approx([by_hand, by_hand], rel=1e-6)
    randomise(model, seed=3)
    recipe.save(model, tmp_path / "begin.keras")
    with pytest.raises(WeightsFileError, match="has changed"):
        run_trial(Trial(spec))


def test_sizes_that_decide_whether_weights_are_loaded_are_refused(tmp_path: Path) -> None:
    """Before anything starts, at the line of the value, without TensorFlow's help."""
    recipe = lstmgraph.load(searched("2"))
    recipe.save(recipe.build(), tmp_path / "begin.keras")
    (tmp_path / "wide.yaml").write_text(searched("{$search: {int: [2, 5], default: 2}}"))
    _, data = write_files(tmp_path)
    out, given, few = tmp_path / "out", tmp_path / "begin.keras", ("--max-trials", 2)
    result = run(
        "tune", tmp_path / "wide.yaml", "--data", data, "--weights", given, "-o", out, *few
    )
    assert result.exit_code == 1
    assert "wide.yaml:6:68: error[L775]: with layers.narrow.units = 5, 'narrow' cannot take" in (
        result.stderr
    )
    assert result.stderr.count("L775]:") == 2  # of `narrow`, and of `y`, which reads it
    assert not out.exists()
    # Under other names these layers begin fresh in every trial; then nothing of the file is left.
    renamed = searched("{$search: {int: [2, 5], default: 2}}").replace("narrow", "slim")
    renamed = renamed.replace("  y: ", "  z: ").replace("{y: y}", "{y: z}")
    wide = lstmgraph.load(renamed)
    with pytest.raises(WeightsFileError, match="no weights of"):
        begun_with(wide.compiled, given)
    kept = renamed.replace(
        "slim: {type", "narrow: {type: dense, input: thinned, units: 2}\n  slim: {type"
    ).replace("slim: {type: dense, input: thinned", "slim: {type: dense, input: narrow")
    assert begun_with(lstmgraph.load(kept).compiled, given).outcomes == {"narrow": "loaded"}


@pytest.mark.slow
def test_a_checkpoint_from_before_weights_is_resumed(place: Path, tmp_path: Path) -> None:
    """Its identity has no `weights`, which then were fresh ones."""
    recipe = lstmgraph.load(SMALL)
    recipe.train(place / "data.npz", folder=tmp_path)
    path, old = tmp_path / "checkpoint.keras", tmp_path / "old.keras"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(old, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "lstmgraph.training.json":
                state = json.loads(content)
                assert state["identity"].pop("weights") == "fresh"
                content = json.dumps(state).encode()
            changed.writestr(name, content)
    shutil.move(old, path)
    assert recipe.train(place / "data.npz", folder=tmp_path, epochs=2).resumed_from == 1


def test_a_search_of_a_model_file_needs_a_space(place: Path) -> None:
    """A trained model leaves nothing open; --set opens something."""
    result = run("tune", place / "trained.keras", "--data", place / "data.npz")
    assert result.exit_code == 1
    assert "leaves nothing open" in result.stderr


def test_keras_tuner_begins_with_the_weights_too(place: Path) -> None:
    space = {"layers.r.activation": {"$search": {"choice": ["relu", "tanh"]}}}
    recipe = lstmgraph.load(place / "trained.keras", overrides=space)
    model = recipe.hypermodel().build(keras_tuner.HyperParameters())
    assert same(model.get_weights(), trained(place))


@pytest.mark.slow
def test_a_model_from_elsewhere_is_taken_by_the_names_of_its_layers(
    place: Path, tmp_path: Path
) -> None:
    """A Keras model written by hand, with one layer of the recipe's."""
    x = keras.Input((12,))
    by_hand = keras.Model(x, keras.layers.Dense(3, name="r")(x))
    randomise(by_hand)
    by_hand.save(tmp_path / "other.keras")
    recipe, given = lstmgraph.load(SMALL), tmp_path / "other.keras"
    result = recipe.train(place / "data.npz", folder=tmp_path / "out", weights=given)
    assert same(result.model.get_weights()[:2], by_hand.get_weights())
