"""The commands: what they print, where, and with which exit code."""

import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from bundled import bundled
from typer.testing import CliRunner, Result

from lstmgraph.cli import app

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
SPEAKER = str(ROOT / "recipes" / "speaker-classifier.yaml")
FORECASTER = str(ROOT / "recipes" / "store-forecaster.yaml")
INVALID = ROOT / "tests" / "recipes" / "invalid"
WRONG = str(INVALID / "several" / "names-everywhere.yaml")
MAIN = "from lstmgraph.cli import main; main()"
CAPTURED = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
COMMANDS = tuple(typer.main.get_group(app).commands)
READING = ("validate", "explain", "space", "build")
DIAGNOSTIC_KEYS = [
    "code",
    "severity",
    "message",
    "hint",
    "path",
    "file",
    "line",
    "column",
    "end_line",
    "end_column",
    "notes",
]


def invoke(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    # Anything else is a traceback on the user's screen.
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def program(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, *arguments]
    return subprocess.run(command, text=True, check=False, **{**CAPTURED, **options})


# validate


def test_validate_names_every_recipe_that_is_fine() -> None:
    result = invoke("validate", *map(str, RECIPES))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        *(f"{path}: ok" for path in RECIPES),
        f"no problems in {len(RECIPES)} files",
    ]
    assert result.stderr == ""


def test_validate_reports_all_mistakes_of_all_files() -> None:
    other = str(INVALID / "single" / "units-quoted.yaml")
    result = invoke("validate", WRONG, SPEAKER, other)
    assert result.exit_code == 1
    assert result.stdout == f"{SPEAKER}: ok\n"
    heads = [line for line in result.stderr.splitlines() if ": error[" in line]
    codes = [(head.partition(":")[0], head.partition("[")[2][:4]) for head in heads]
    assert codes == [*[(WRONG, "L301")] * 4, (other, "L204")]


def test_a_mistake_is_shown_with_its_line_a_caret_and_the_mend() -> None:
    path = INVALID / "single" / "units-quoted.yaml"
    result = invoke("validate", str(path))
    head, line, caret, fix = result.stderr.splitlines()
    place = re.fullmatch(rf"{re.escape(str(path))}:(\d+):(\d+): error\[L204\]: .+", head)
    assert place
    assert line == f'  {place[1]} |     units: "64"'
    assert caret.index("^") == line.index('"64"')
    assert caret.count("^") == len('"64"')
    assert fix.startswith("  help: write 64")


@pytest.mark.parametrize("command", READING)
def test_a_file_that_is_not_there_is_a_wrong_command_line(command: str, tmp_path: Path) -> None:
    result = invoke(command, str(tmp_path / "missing.yaml"))
    assert result.exit_code == 2
    assert "missing.yaml: error[L101]: cannot read the recipe" in result.stderr
    assert result.stdout == ""


def test_a_misspelt_file_is_named_and_a_folder_told_apart(tmp_path: Path) -> None:
    (tmp_path / "Forecast.yaml").write_text("recipe: 1")
    (tmp_path / "forecast.yaml.bak").write_text("recipe: 1")
    meant = invoke("validate", str(tmp_path / "forcast.yaml"))
    assert f"; did you mean '{tmp_path / 'Forecast.yaml'}'?" in meant.stderr
    assert "did you mean" not in invoke("validate", str(tmp_path / "other.yaml")).stderr
    folder = invoke("validate", str(tmp_path))
    assert f"help: name the recipes in it: {tmp_path}/*.yaml" in folder.stderr


def test_the_worst_exit_code_counts(tmp_path: Path) -> None:
    assert invoke("validate", WRONG, str(tmp_path / "missing.yaml"), SPEAKER).exit_code == 2


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def _null_bytes(path: Path) -> None:
    path.write_bytes(b"\0" * 1000)


def _large(path: Path) -> None:
    path.write_bytes(b"name: x\n" * 650_000)


def _folder(path: Path) -> None:
    path.mkdir()


def _device(path: Path) -> None:
    path.symlink_to(os.devnull)


def _one_word(path: Path) -> None:
    path.write_text("hello")


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize(
    "make", [_empty, _binary, _null_bytes, _large, _folder, _device, _one_word]
)
def test_what_is_no_recipe_is_reported(
    command: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    make(path)
    result = invoke(command, str(path))
    assert result.exit_code in (1, 2)
    assert re.match(rf"{re.escape(str(path))}(:\d+:\d+)?: error\[L\d+\]: ", result.stderr)
    assert result.stdout == ""


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_without_permission_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(Path(SPEAKER).read_text("utf-8"), "utf-8")
    path.chmod(0)
    result = invoke("validate", str(path))
    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("validate",),
        ("validate", "--frobnicate", SPEAKER),
        ("validate", SPEAKER, "--format", "xml"),
        ("explain", SPEAKER, FORECASTER),
        ("build", SPEAKER, "--output"),
        ("schema", SPEAKER),
        (),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert re.search("^(Usage|Error): ", result.stderr + result.stdout, re.M)


# JSON


def test_validate_as_json() -> None:
    result = invoke("validate", WRONG, SPEAKER, "--format", "json")
    assert result.exit_code == 1
    assert result.stderr == ""
    report = json.loads(result.stdout)
    assert list(report) == ["ok", "files"]
    assert report["ok"] is False
    right, wrong = report["files"]  # by name, in whatever order they are given
    assert right == {"file": SPEAKER, "ok": True, "diagnostics": []}
    assert wrong["ok"] is False
    assert len(wrong["diagnostics"]) == 4
    for diagnostic in wrong["diagnostics"]:
        assert list(diagnostic) == DIAGNOSTIC_KEYS
    first = wrong["diagnostics"][0]
    assert (first["code"], first["severity"], first["file"]) == ("L301", "error", WRONG)
    assert first["path"] == ["layers", "voice", "input"]
    assert first["column"] < first["end_column"]


@pytest.mark.parametrize("command", ["explain", "build"])
def test_mistakes_as_json(command: str, tmp_path: Path) -> None:
    options = ["-o", str(tmp_path)] if command == "build" else []
    result = invoke(command, WRONG, "--format", "json", *options)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert list(report) == ["ok", "diagnostics"]
    assert report["ok"] is False
    assert [list(diagnostic) for diagnostic in report["diagnostics"]] == [DIAGNOSTIC_KEYS] * 4


def test_explain_as_json() -> None:
    result = invoke("explain", FORECASTER, "--format", "json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert list(report) == [
        "recipe",
        "inputs",
        "layers",
        "outputs",
        "runtime",
        "loops",
        "models",
        "litert",
        "searched",
        "totals",
        "memory",
        "warnings",
    ]
    assert report["recipe"] == "store-forecaster"
    by_name = {row["name"]: row for row in report["layers"]}
    assert by_name["decoder"]["shape"] == ["batch", 24, 64]
    assert by_name["decoder"]["trainable_parameters"] == 4 * 64 * (3 + 16 + 64 + 1)
    assert by_name["encoder_1"]["mask"] == "step < lengths"
    assert by_name["decoder"]["initial_state"] == {"h": "encoder_2.h", "c": "encoder_2.c"}
    kernels = "standard", "fused", "cudnn"  # which, depends on the machine
    assert by_name["encoder_1"]["kernel"] in kernels
    assert by_name["encoder_1"]["prediction_kernel"] in kernels
    assert by_name["forecast"]["kernel"] is None
    assert report["outputs"][0]["source"] == "forecast"
    assert report["totals"]["parameters"] == sum(
        row["trainable_parameters"] + row["non_trainable_parameters"] for row in report["layers"]
    )


# explain and --set


def test_explain_shows_what_a_model_computes() -> None:
    result = invoke("explain", FORECASTER)
    assert result.exit_code == 0
    for part in (
        "(batch, 24, 64)",  # shape
        "21,504",  # parameters of the decoder
        "step < lengths",  # mask
        "encoder_2.h",  # state
        "dense(store)",
        "prediction",  # kernels
    ):
        assert part in result.stdout


def test_set_puts_a_value_in() -> None:
    result = invoke(
        *("explain", FORECASTER, "--format", "json"),
        *("--set", "layers.encoder.units=[128, 32]", "--set", "layers.decoder.units=32"),
    )
    assert result.exit_code == 0
    shapes = {row["name"]: row["shape"] for row in json.loads(result.stdout)["layers"]}
    assert shapes["decoder"] == ["batch", 24, 32]


def test_a_wrong_value_is_shown_in_the_option() -> None:
    result = invoke("validate", FORECASTER, "--set", "layers.encoder.units=many")
    assert result.exit_code == 1
    head, line, caret, note, *_ = result.stderr.splitlines()
    assert head.startswith("--set layers.encoder.units:1:22: error[L204]: 'units' must be")
    assert line == "   1 | layers.encoder.units=many"
    assert caret.index("^") == line.index("many")
    assert note == f"  note: {FORECASTER}:18:5: it replaces this value"


@pytest.mark.parametrize(
    ("value", "code", "place", "fragment"),
    [
        ("layers.encodr.units=3", "L121", "1:1", "did you mean 'encoder'"),
        ("layers.encoder.units.depth=3", "L121", "1:1", "has no entry"),
        ("training.epochs.x=3", "L121", "1:1", "is a single value"),
        ("inputs.history.shape.7=1", "L121", "1:1", "has no entry 7"),
        (f"inputs.history.shape.{'9' * 5000}=1", "L121", "1:1", "has no entry"),
        ("layers..units=3", "L121", "1:1", "there is no `layers.`"),
        ("layers.²=3", "L207", "1:1", "'²' is not a valid name"),
        ("layrs.encoder.units=3", "L203", "1:1", "did you mean 'layers'"),
        ("layers.encoder.unist=3", "L203", "1:1", "did you mean 'units'"),
        ("layers.decoder.units=[", "L104", "1:23", "close the bracket"),
        ("name=!!python/object:os.system x", "L106", "1:6", "remove the tag"),
        ("training.epochs=", "L204", "1:1", "not null"),
        ("layers.decoder.units=48", "L608", "1:1", "64 units"),
    ],
)
def test_set_reports_what_is_wrong(value: str, code: str, place: str, fragment: str) -> None:
    result = invoke("validate", FORECASTER, "--set", value, "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["files"][0]["diagnostics"]
    assert found[0]["code"] == code
    assert fragment in found[0]["message"] + str(found[0]["hint"])
    if code != "L608":  # which stands in the file, at the state that does not fit any more
        assert found[0]["file"].startswith("--set ")
        assert place in (f"{found[0]['line']}:{found[0]['column']}", "1:1")


def test_a_section_put_in_by_set_is_reported_there() -> None:
    recipe = str(ROOT / "recipes" / "placeholder-states.yaml")
    result = invoke("validate", recipe, "--set", "training.epochs=3")
    assert result.exit_code == 1
    assert result.stderr.startswith("--set training.epochs:1:1: error[L202]: 'training' has no")


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("value", ["units", "=3"])
def test_set_without_path_or_value_is_a_wrong_command_line(command: str, value: str) -> None:
    result = invoke(command, FORECASTER, "--set", value)
    assert result.exit_code == 2
    assert "is not PATH=VALUE" in result.stderr


# schema and help


@pytest.mark.slow
def test_schema_is_the_json_schema_that_takes_the_shipped_recipes() -> None:
    """``test_schema.py`` gives it to a validator."""
    result = invoke("schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == bundled()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Example: lstmgraph {command}" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_values_as_the_pages_do(command: str) -> None:
    """``--epochs N``, as Typer's own name for it is ``<int range>``."""
    assert re.search(r"<(int|float)( range)?>", invoke(command, "--help").stdout) is None


def test_help_and_the_readme_list_the_commands() -> None:
    listed = invoke("--help").stdout
    assert [command for command in COMMANDS if f"  {command} " not in listed] == []
    readme = (ROOT / "README.md").read_text("utf-8")
    assert tuple(sorted(COMMANDS)) == tuple(
        sorted(re.findall(r"^\| `lstmgraph ([a-z-]+)[ `]", readme, re.M))
    )


# build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("build") / "new" / "folder"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's import and Keras's saving warn
        return folder, invoke("build", SPEAKER, "-o", str(folder), "--format", "json")


def test_build_writes_three_files_into_a_new_folder(built: tuple[Path, Result]) -> None:
    folder, result = built
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert list(report) == ["files", "weights", "explanation", "warnings"]
    assert list(report["files"]) == ["model", "config", "resolved"]
    names = [f"speaker-classifier.{end}" for end in ("config.json", "keras", "resolved.yaml")]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert sorted(report["files"].values()) == [str(folder / name) for name in names]
    assert json.loads((folder / names[0]).read_text("utf-8"))["class_name"] == "Functional"
    assert invoke("validate", str(folder / names[2])).exit_code == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy, in Keras's saving
def test_build_overwrites_only_when_told_to(built: tuple[Path, Result]) -> None:
    folder, _ = built
    model = folder / "speaker-classifier.keras"
    before = model.stat().st_mtime_ns
    refused = invoke("build", SPEAKER, "-o", str(folder))
    assert refused.exit_code == 2
    assert "would be overwritten; add --force" in refused.stderr
    assert model.stat().st_mtime_ns == before
    forced = invoke("build", SPEAKER, "-o", str(folder), "--force")
    assert forced.exit_code == 0
    assert forced.stdout.splitlines()[-3:] == [
        f"wrote {folder / 'speaker-classifier'}.{end}"
        for end in ("keras", "config.json", "resolved.yaml")
    ]
    assert model.stat().st_mtime_ns > before
    assert len(list(folder.iterdir())) == 3


def test_build_writes_nothing_of_a_wrong_recipe(tmp_path: Path) -> None:
    result = invoke("build", WRONG, "-o", str(tmp_path / "models"))
    assert result.exit_code == 1
    assert list(tmp_path.iterdir()) == []
    assert result.stdout == ""


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_build_into_a_file_is_refused(below: str, tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.write_text("")
    result = invoke("build", SPEAKER, "-o", str(target / below))
    assert result.exit_code == 2
    assert "is not a folder" in result.stderr


def test_build_where_nothing_can_be_written_is_refused() -> None:
    result = invoke("build", SPEAKER, "-o", "/proc/lstmgraph")
    assert result.exit_code in (1, 2)
    assert "/proc" in result.stderr


# Real processes


@pytest.mark.slow
def test_a_closed_pipe_is_silent() -> None:
    command = f"{sys.executable} -c '{MAIN}' schema | head -1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "{\n", "")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_disk_is_reported() -> None:
    with Path("/dev/full").open("w") as full:
        result = program("schema", stdout=full)
    assert result.returncode == 1
    assert result.stderr == "Error: No space left on device\n"


@pytest.mark.slow
def test_commands_exit_as_a_process_does(tmp_path: Path) -> None:
    assert program("validate", SPEAKER).returncode == 0
    wrong = program("explain", WRONG)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "Traceback" not in wrong.stderr
    assert program("validate", str(tmp_path)).returncode == 2


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    names = [line.partition(" ")[0] for line in result.output.splitlines()]
    assert names == ["lstmgraph", "Keras", "TensorFlow", "backend"]
    assert re.match(r"lstmgraph \d+\.\d+\.\d+\n", result.output)
