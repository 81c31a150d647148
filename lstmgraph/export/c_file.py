"""Format ``c``: a LiteRT model as a C array, which programs for microcontrollers include."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lstmgraph.export import litert
from lstmgraph.export.arena import arena_size
from lstmgraph.export.litert_tensors import read_subgraphs, signature_places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmgraph.export.check import LoadedFile
    from lstmgraph.export.job import ExportJob
    from lstmgraph.export.litert_tensors import Tensor

SOURCE = """\
#include <stdalign.h>

#include "{header}"

alignas(16) const unsigned char {name}[] = {{
{rows}
}};
const unsigned int {name}_length = {length};
"""
HEADER = """\
// {name}: a model of LiteRT, written by `lstmgraph export`
//   {tensors}
//   The values between operators take {arena} bytes; LiteRT's own records come on top.
#ifndef {guard}_H_
#define {guard}_H_

#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char {name}[];
extern const unsigned int {name}_length;

#ifdef __cplusplus
}}
#endif

#endif  // {guard}_H_
"""
HEADER_SUFFIX = ".h"
PER_LINE = 12
_BYTES = re.compile(r"0x([0-9a-f]{2})")


def write(jobs: Sequence[ExportJob], path: Path) -> None:
    """Write the model as LiteRT's flatbuffer, without the recipe, in an array of bytes."""
    (job,) = jobs
    name = identifier(job.name)
    content = litert.content(job)
    lines = (content[first : first + PER_LINE] for first in range(0, len(content), PER_LINE))
    rows = ",\n".join("  " + ", ".join(f"0x{byte:02x}" for byte in line) for line in lines)
    beside = job.target.with_suffix(HEADER_SUFFIX).name
    source = SOURCE.format(header=beside, name=name, rows=rows, length=len(content))
    path.write_text(source, "utf-8")


def header(job: ExportJob, path: Path) -> str:
    """Return the text of the header for the file at `path`, which says what goes in and out."""
    content = content_of(path)
    graph = read_subgraphs(content)[0]
    inputs, outputs = signature_places(content)
    said = [
        f"{kind}({place}) {name}: {_described(graph.tensors[numbers[place]])}"
        for kind, found, numbers in (
            ("input", inputs, graph.inputs),
            ("output", outputs, graph.outputs),
        )
        for name, place in sorted(found.items(), key=lambda each: each[1])
    ]
    name, arena = identifier(job.name), arena_size(content)
    return HEADER.format(
        name=name,
        guard=name.upper(),
        tensors="\n//   ".join(said),
        arena="an open number of" if arena is None else f"{arena:,}",
    )


def content_of(path: Path) -> bytes:
    """Return the bytes of the array in the C file."""
    return bytes(int(found[1], 16) for found in _BYTES.finditer(path.read_text("utf-8")))


def open_file(job: ExportJob, path: Path) -> LoadedFile:
    """Load the array's bytes in LiteRT's interpreter."""
    return litert.opened(job, content_of(path))


def identifier(name: str) -> str:
    """Return the name of a recipe, or of a further model of it, as one of C."""
    return name.replace("-", "_").replace(".", "_")


def _described(tensor: Tensor) -> str:
    shape = " x ".join(map(str, tensor.shape)) or "one number"
    said = f"{tensor.dtype.lower()}, {shape}"
    if tensor.scale is None:
        return said
    return f"{said}; value = {tensor.scale!r} * (stored - {tensor.zero_point})"
