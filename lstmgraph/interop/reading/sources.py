"""Get a model's configuration out of its file, within limits on size and depth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmgraph.archives import HDF5, ZIP, ArchiveError, TooLargeError, opened_archive
from lstmgraph.files import read_regular_file
from lstmgraph.messages.errors import WeightsFileError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeGuard

    from lstmgraph.interop.reading.problems import Problems

MEMBER = "config.json"
ABOUT = "metadata.json"
"""The member that says which version of Keras wrote the file."""
MOST_OF_ABOUT = 10_000
MOST_BYTES = 32_000_000
"""The most bytes of a configuration; those of Keras's largest applications have a few hundred
thousand."""
DEEPEST = 150
"""The deepest nesting of lists and mappings; a nested model takes four levels."""


@dataclass(frozen=True)
class Found:
    """A configuration, and the version of Keras that wrote it where the file says it."""

    config: dict[str, Any]
    version: str | None = None


def is_json_text(source: str | Path) -> TypeGuard[str]:
    """Return whether a source is the text of a configuration, not the path of a file."""
    return isinstance(source, str) and source.lstrip().startswith("{")


def read_file(path: Path, problems: Problems) -> Found:
    """Return the configuration in the file at `path`: ``.keras``, HDF5 or JSON.

    Raises:
        ModelFileError: it holds none, or one beyond the limits.
        OSError: it cannot be read.
    """
    start = read_regular_file(path, len(HDF5))
    if not start:
        problems.stop("M101", "it is empty", "save the model again with Keras")
    if start.startswith(ZIP):
        return _from_archive(path, problems)
    if start == HDF5:
        return _from_hdf5(path, problems)
    content = read_regular_file(path, MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        problems.stop("M102", f"it has more than {MOST_BYTES:,} bytes", "save a smaller model")
    return Found(parsed(content, problems))


def _not_json(text: str | bytes, error: ValueError) -> str:
    """Return what text is that holds no JSON."""
    start = text.lstrip()[:1]
    if start in {"{", "[", b"{", b"["}:
        return f"it is not a model's configuration as JSON: {error}"
    return "it is not a model of Keras: neither a zip archive nor HDF5 nor JSON"


def _from_archive(path: Path, problems: Problems) -> Found:
    try:
        with opened_archive(path) as archive:
            if MEMBER not in archive:
                problems.stop(
                    "M101",
                    f"it is a zip archive, but not of Keras: it has no member {MEMBER}",
                    "give a .keras or .h5 file of a model; "
                    "`lstmgraph transfer` reads weights of PyTorch",
                )
            config = archive.read(MEMBER, MOST_BYTES)
            about = archive.read(ABOUT, MOST_OF_ABOUT) if ABOUT in archive else b"{}"
    except TooLargeError as error:
        problems.stop("M102", f"it cannot be read: {error}", "save a smaller model")
    except ArchiveError as error:
        problems.stop(
            "M101", f"it is not a whole .keras file: {error}", "save the model again with Keras"
        )
    version = parsed(about, problems).get("keras_version")
    return Found(parsed(config, problems), version if isinstance(version, str) else None)


def _from_hdf5(path: Path, problems: Problems) -> Found:
    from lstmgraph.models.weights_file import opened_weights  # noqa: PLC0415 - imports h5py

    try:
        with opened_weights(path) as weights:
            about = weights.about
    except WeightsFileError as error:
        problems.stop("M101", str(error), "save the model again with Keras")
    text, version = about.get("model_config"), about.get("keras_version")
    if not isinstance(text, str):
        problems.stop(
            "M101",
            "it holds weights only, without the model that they are of",
            "save the whole model, or give the JSON that `model.to_json()` returns",
        )
    if len(text) > MOST_BYTES:
        problems.stop("M102", "its configuration is too large", "save a smaller model")
    config = parsed(text, problems)
    training = about.get("training_config")
    if isinstance(training, str) and len(training) <= MOST_BYTES:
        config["compile_config"] = _compiled(parsed(training, problems))
    return Found(config, version if isinstance(version, str) else "2")


def _compiled(training: dict[str, Any]) -> dict[str, Any]:
    """Return how a model was compiled as Keras 3 writes it."""
    kept = {key: value for key, value in training.items() if key != "optimizer_config"}
    optimizer = training.get("optimizer_config")
    if not isinstance(optimizer, dict) or not isinstance(optimizer.get("config"), dict):
        return kept
    config = dict(optimizer["config"])
    if "lr" in config:
        config["learning_rate"] = config.pop("lr")
    if not config.get("decay"):  # a schedule of Keras 2; 0 is none
        config.pop("decay", None)
    return {**kept, "optimizer": {**optimizer, "config": config}}


def parsed(text: str | bytes, problems: Problems) -> dict[str, Any]:
    """Return the mapping that JSON text holds.

    Raises:
        ModelFileError: it is not JSON, holds no mapping, or is nested too deeply.
    """
    hint = "give a .keras or .h5 file of a model, or the JSON that `model.to_json()` returns"
    try:
        value = json.loads(text)
    except RecursionError:
        problems.stop("M102", "its configuration is nested too deeply", hint)
    except ValueError as error:  # also of UTF-8, and of numbers with thousands of digits
        problems.stop("M101", _not_json(text, error), hint)
    if not isinstance(value, dict):
        problems.stop("M101", "it is not a model's configuration: it holds no mapping", hint)
    check_depth(value, problems)
    return value


def check_depth(value: dict[str, Any], problems: Problems) -> None:
    """Refuse a configuration that is nested too deeply to be followed, or holds itself.

    Raises:
        ModelFileError: it is.
    """
    if _depth(value) > DEEPEST:
        hint = "give a .keras or .h5 file of a model, or the JSON that `model.to_json()` returns"
        problems.stop("M102", "its configuration is nested too deeply", hint)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= DEEPEST:
        depth += 1
        found = {
            id(item): item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, (dict, list, tuple))
        }
        level = list(found.values())
    return depth
