"""Say what a file is that was given in place of a recipe, and what it is for."""

from __future__ import annotations

import re

from lstmgraph.archives import HDF5, ZIP
from lstmgraph.language.text.bytes import NAME_A_RECIPE

_DATA = "name it with `--data`, after a recipe; `lstmgraph init` writes a first recipe"
_TABLE = "name it with `--data`, after a recipe; `lstmgraph init --data` writes a recipe for it"
_UNPACK = "unpack it, and name the recipe in it"
_RUNS = "name the recipe it was made from; `lstmgraph predict` runs the model"
_WEIGHTS = (
    "`lstmgraph transfer` moves its weights into a recipe's model; `lstmgraph import` writes a "
    "recipe for a whole model"
)
_RENAME = "name it so that it ends in .keras, or name the recipe it was made from"

_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (HDF5, "an HDF5 file of a Keras model or its weights", _WEIGHTS),
    (b"\x93NUMPY", "an array of NumPy (.npy)", "put it in an .npz file for `--data`"),
    (b"PAR1", "a Parquet file", _TABLE),
    (b"ARROW1", "an Arrow table", "save it as CSV or Parquet for `--data`"),
    (b"SQLite format 3\0", "an SQLite database", "export a table as CSV for `--data`"),
    (b"\x1f\x8b", "a file compressed with gzip", f"{_UNPACK}; a table goes to `--data`"),
    (b"BZh", "a file compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "a file compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", _UNPACK),
    (b"%PDF-", "a PDF", NAME_A_RECIPE),
    (b"\x89PNG", "a PNG image", NAME_A_RECIPE),
    (b"\xff\xd8\xff", "a JPEG image", NAME_A_RECIPE),
)
"""How binary files begin, what they are, and what to do with them."""

_MEMBERS: tuple[tuple[str, str, str], ...] = (
    (r".*\.npy", "a zip archive of arrays (.npz)", _DATA),
    (r"metadata\.json|config\.json|model\.weights\.h5", "a model of Keras (.keras)", _RENAME),
    (r".*\.pkl|.*/\.format_version", "a file of PyTorch", "`lstmgraph transfer` takes its weights"),
    (
        r"\[Content_Types\]\.xml|xl/.*|_rels/.*",
        "a workbook or an office document",
        "save a sheet of it as CSV for `--data`",
    ),
)
"""The first members of zip archives by a pattern of their names, and the same of the archives."""

_ONNX = re.compile(rb"\x08[\x03-\x1f][\x12\x1a\x22\x32\x3a\x42]")
"""The version of ONNX's format, and the tag of another field of its ModelProto."""
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_SAVED_MODEL = re.compile(rb"\x08\x01\x12")
_KEY = re.compile(r"^[{\[#%&!|>?*-]|:(\s|$)")
"""What the first line of a recipe has, and no table's header."""
_LOOKED_AT = 20_000
_LINES = 5


def what_else(raw: bytes) -> tuple[str, str] | None:
    """Return what a file is that is surely no recipe, and what it is for; None for any other."""
    found = _binary(raw) or _archive(raw) or _model(raw)
    return found or (("a table", _TABLE) if _is_table(raw) else None)


def _binary(raw: bytes) -> tuple[str, str] | None:
    return next(((what, hint) for start, what, hint in _STARTS if raw.startswith(start)), None)


def _archive(raw: bytes) -> tuple[str, str] | None:
    if not raw.startswith((ZIP + b"\3\4", ZIP + b"\5\6")):
        return None
    size = int.from_bytes(raw[26:28], "little")
    member = raw[30 : 30 + size].decode("utf-8", "replace")
    known = ((what, hint) for form, what, hint in _MEMBERS if re.fullmatch(form, member))
    return next(known, ("a zip archive", _UNPACK))


def _model(raw: bytes) -> tuple[str, str] | None:
    if raw[4:8] == b"TFL3":
        return "a LiteRT model (.tflite)", _RUNS
    if _ONNX.match(raw):
        return "an ONNX model", _RUNS
    if _PICKLE.match(raw):
        return "a Python pickle", NAME_A_RECIPE
    return ("a SavedModel of TensorFlow", NAME_A_RECIPE) if _SAVED_MODEL.match(raw) else None


def _is_table(raw: bytes) -> bool:
    """Return whether the first lines have the same columns, and the first is no key of YAML."""
    text = raw[:_LOOKED_AT].decode("utf-8-sig", "replace")
    whole = text.splitlines()[: -1 if len(raw) > _LOOKED_AT else None]
    lines = [line for line in whole if line.strip()][:_LINES]
    if len(lines) < 2 or _KEY.search(lines[0].lstrip()):
        return False
    counts = ({_columns(line, mark) for line in lines} for mark in (",", ";", "\t"))
    return any(len(each) == 1 and each != {0} for each in counts)


def _columns(line: str, mark: str) -> int:
    """Return how many of `mark` are in `line`, outside of quotes."""
    return re.sub(r'"[^"]*"', "", line).count(mark)
