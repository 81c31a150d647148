"""Weights files that mean harm: each a change of the HDF5 that Keras wrote, by its name.

``SECRET`` stands for a file of the user's: its numbers must come out nowhere.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[h5py.File, Path], None]
    """Takes the weights and the path of the secret."""

LAYER = "layers/lstm"
WEIGHT = f"{LAYER}/cell/vars/0"
SHAPE = (3, 8)
"""Of the weight: a kernel of two units for three features."""
SECRET = np.linspace(7.25, 8.75, 24, dtype="float32").reshape(SHAPE)


def secret_files(folder: Path) -> Path:
    """The same numbers as bytes, and beside them as HDF5 of the place that Keras reads."""
    path = folder / "secret.bin"
    path.write_bytes(SECRET.tobytes())
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for place, values in enumerate((SECRET, SECRET[:2], SECRET[0])):
            file[f"{LAYER}/cell/vars/{place}"] = values
        file.create_group(f"{LAYER}/vars").attrs["name"] = "reader"
    return path


def external_storage(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    size = secret.stat().st_size
    file.create_dataset(WEIGHT, SHAPE, "float32", external=[(str(secret), 0, size)])


def virtual(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    layout = h5py.VirtualLayout(SHAPE, "float32")
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), WEIGHT, SHAPE)
    file.create_virtual_dataset(WEIGHT, layout)


def virtual_without_end(file: h5py.File, secret: Path) -> None:
    """Asking for its shape opens its source."""
    del file[WEIGHT]
    layout = h5py.VirtualLayout(SHAPE, "float32", maxshape=(None, SHAPE[1]))
    place = secret.with_suffix(".h5"), WEIGHT
    source = h5py.VirtualSource(*place, SHAPE, maxshape=(None, SHAPE[1]))
    layout[: h5py.h5s.UNLIMITED, :] = source[: h5py.h5s.UNLIMITED, :]
    file.create_virtual_dataset(WEIGHT, layout)


def external_link(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file[WEIGHT] = h5py.ExternalLink(str(secret.with_suffix(".h5")), WEIGHT)


def external_link_to_a_group(file: h5py.File, secret: Path) -> None:
    del file[f"{LAYER}/cell/vars"]
    file[f"{LAYER}/cell/vars"] = h5py.ExternalLink(
        str(secret.with_suffix(".h5")), f"{LAYER}/cell/vars"
    )


def external_link_to_a_layer(file: h5py.File, secret: Path) -> None:
    del file[LAYER]
    file[LAYER] = h5py.ExternalLink(str(secret.with_suffix(".h5")), LAYER)


def external_link_to_all_layers(file: h5py.File, secret: Path) -> None:
    del file["layers"]
    file["layers"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "layers")


def external_link_elsewhere(file: h5py.File, secret: Path) -> None:
    file["spare"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), WEIGHT)


def soft_link(file: h5py.File, secret: Path) -> None:
    file["spare"] = file[WEIGHT][...]
    del file[WEIGHT]
    file[WEIGHT] = h5py.SoftLink("/spare")


def soft_link_to_itself(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file[WEIGHT] = h5py.SoftLink(f"/{WEIGHT}")


def soft_link_to_nothing(file: h5py.File, secret: Path) -> None:
    file["layers/spare"] = h5py.SoftLink("/nowhere")


def hard_link_to_a_parent(file: h5py.File, secret: Path) -> None:
    file[f"{LAYER}/again"] = file["layers"]


def hard_link_to_the_file(file: h5py.File, secret: Path) -> None:
    file[f"{LAYER}/again"] = file["/"]


def one_weight_twice(file: h5py.File, secret: Path) -> None:
    file[f"{LAYER}/cell/vars/9"] = file[WEIGHT]


def deep_groups(file: h5py.File, secret: Path) -> None:
    group = file["layers"]
    for _ in range(500):
        group = group.create_group("g")
    group["0"] = SECRET


def compressed(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file.create_dataset(WEIGHT, data=np.zeros(SHAPE, "float32"), compression="gzip")


def chunked(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file.create_dataset(WEIGHT, data=np.zeros(SHAPE, "float32"), chunks=(1, 8))


def huge_chunk(file: h5py.File, secret: Path) -> None:
    """One chunk of 2 GB for 24 numbers, of which nothing is stored."""
    del file[WEIGHT]
    file.create_dataset(WEIGHT, SHAPE, "float32", chunks=(1 << 16, 1 << 13), maxshape=(None, None))


def huge_in_chunks(file: h5py.File, secret: Path) -> None:
    file.create_dataset(
        "layers/lstm/cell/vars/9", (1 << 20, 1 << 12), "float32", chunks=(1024, 1024)
    )


def huge_and_empty(file: h5py.File, secret: Path) -> None:
    """16 GB that are declared in one piece, and never written."""
    del file[WEIGHT]
    file.create_dataset(WEIGHT, (1 << 20, 1 << 12), "float32")


def never_written(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file.create_dataset(WEIGHT, SHAPE, "float32", fillvalue=3)


def unknown_filter(file: h5py.File, secret: Path) -> None:
    """Of a plugin: HDF5 would look for a library to run."""
    del file[WEIGHT]
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk(SHAPE)
    made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (1,))
    space = h5py.h5s.create_simple(SHAPE)
    group = file[f"{LAYER}/cell/vars"]
    h5py.h5d.create(group.id, b"0", h5py.h5t.NATIVE_FLOAT, space, made)


def strings(file: h5py.File, secret: Path) -> None:
    _replace(file, np.full(SHAPE, b"7.25"))


def variable_strings(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file.create_dataset(WEIGHT, data=np.full(SHAPE, "7.25", object), dtype=h5py.string_dtype())


def lists(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file.create_dataset(WEIGHT, SHAPE, h5py.vlen_dtype(np.dtype("float32")))


def references(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    data = file.create_dataset(WEIGHT, SHAPE, h5py.ref_dtype)
    data[0, 0] = file["layers"].ref


def region_references(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file.create_dataset(WEIGHT, SHAPE, h5py.regionref_dtype)


def records(file: h5py.File, secret: Path) -> None:
    _replace(file, np.zeros(SHAPE, [("a", "float32"), ("b", "int8")]))


def complex_numbers(file: h5py.File, secret: Path) -> None:
    _replace(file, np.zeros(SHAPE, "complex64"))


def opaque(file: h5py.File, secret: Path) -> None:
    _replace(file, np.zeros(SHAPE, "V4"))


def no_values(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file[WEIGHT] = h5py.Empty("float32")


def a_type(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file[WEIGHT] = np.dtype("float32")


def a_group(file: h5py.File, secret: Path) -> None:
    del file[WEIGHT]
    file.create_group(WEIGHT)


def a_weight_for_a_layer(file: h5py.File, secret: Path) -> None:
    del file[LAYER]
    file[LAYER] = np.zeros(SHAPE, "float32")


def a_weight_for_all_layers(file: h5py.File, secret: Path) -> None:
    del file["layers"]
    file["layers"] = np.zeros(SHAPE, "float32")


def name_of_numbers(file: h5py.File, secret: Path) -> None:
    file[f"{LAYER}/vars"].attrs["name"] = [1, 2]


def name_that_refers(file: h5py.File, secret: Path) -> None:
    file[f"{LAYER}/vars"].attrs["name"] = file["layers"].ref


def two_of_one_name(file: h5py.File, secret: Path) -> None:
    file[f"{LAYER}/vars"].attrs["name"] = "y"


def _replace(file: h5py.File, values: np.ndarray) -> None:
    del file[WEIGHT]
    file[WEIGHT] = values


CHANGES: tuple[Change, ...] = (
    external_storage,
    virtual,
    virtual_without_end,
    external_link,
    external_link_to_a_group,
    external_link_to_a_layer,
    external_link_to_all_layers,
    external_link_elsewhere,
    soft_link,
    soft_link_to_itself,
    soft_link_to_nothing,
    hard_link_to_a_parent,
    hard_link_to_the_file,
    one_weight_twice,
    deep_groups,
    compressed,
    chunked,
    huge_chunk,
    huge_in_chunks,
    huge_and_empty,
    never_written,
    unknown_filter,
    strings,
    variable_strings,
    lists,
    references,
    region_references,
    records,
    complex_numbers,
    opaque,
    no_values,
    a_type,
    name_of_numbers,
    name_that_refers,
    two_of_one_name,
)

OTHER_LAYOUTS: tuple[Change, ...] = (a_group, a_weight_for_a_layer, a_weight_for_all_layers)
"""Nothing in them is dangerous; they are not what Keras writes for a layer."""


def changed(path: Path, change: Change, secret: Path) -> None:
    """Change the weights in the ``.keras`` or ``.weights.h5`` file at `path`."""
    if path.suffix != ".keras":
        with h5py.File(path, "r+") as file:
            change(file, secret)
        return
    members = read_members(path)
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        change(file, secret)
    write_members(path, {**members, "model.weights.h5": buffer.getvalue()})


def read_members(path: Path) -> dict[str, bytes]:
    """The members of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, members: dict[str, bytes], compression: int = 0) -> None:
    """Write an archive anew."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
