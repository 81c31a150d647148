"""Tables larger than what may be allocated: read, windowed and batched with little memory."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = 20
ROWS = 1_500_000
MEGABYTES = 64
"""Half of what the table's numbers take."""

STREAMS = """
import resource, sys
import pyarrow
pyarrow.set_cpu_count(1)
pyarrow.set_io_thread_count(1)
import lstmgraph
import lstmgraph.data.loading
try:
    import pandas  # which pyarrow imports where it is installed
except ImportError:
    pass
from lstmgraph.data.examples import epoch_order
from pyarrow import parquet

def data_in_kilobytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmData"))

recipe = lstmgraph.load(sys.argv[1])
limit = data_in_kilobytes() * 1024 + int(sys.argv[3]) * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
train = recipe.load_data(sys.argv[2]).train
total = 0.0
for start in range(0, len(train), 4096):
    positions = epoch_order(len(train), 0, 0)[start : start + 4096]
    total += float(train.batch(positions[:64])[1]["y"].sum())
print(len(train), total)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_parquet_file_streams_in_half_of_its_size(tmp_path: Path) -> None:
    """All that a process allocates counts; pages of mapped files do not, as they can be dropped."""
    path = tmp_path / "large.parquet"
    wanted = write(path)
    size = COLUMNS * ROWS * 4
    assert path.stat().st_size > size > 1.7 * MEGABYTES * 2**20
    names = ", ".join(f"c{number}" for number in range(COLUMNS))
    recipe = f"""
recipe: 1
name: large
inputs: {{x: {{shape: [24, {COLUMNS}]}}}}
layers: {{r: {{type: lstm, input: x, units: 2}}, y: {{type: dense, input: r, units: 1}}}}
outputs: {{y: y}}
training: {{loss: mse}}
data:
  series: s
  time: t
  window: {{history: 24, horizon: 1, stride: 5}}
  inputs: {{x: {{columns: [{names}]}}}}
  targets: {{y: {{columns: [c0]}}}}
  split: {{validation: 0}}
"""
    run = subprocess.run(
        [sys.executable, "-c", STREAMS, recipe, path, str(MEGABYTES)],
        env={"ARROW_DEFAULT_MEMORY_POOL": "system", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[0]) == wanted


def write(path: Path) -> int:
    """Series of 100,000 rows; returns how many windows they have."""
    random = np.random.default_rng(0)
    fields = [("s", pa.int32()), ("t", pa.int64())]
    schema = pa.schema([*fields, *((f"c{number}", pa.float32()) for number in range(COLUMNS))])
    options = {"compression": "none", "use_dictionary": False}
    with parquet.ParquetWriter(path, schema, **options) as writer:
        for series in range(ROWS // 100_000):
            values = random.random((COLUMNS, 100_000), dtype="float32")
            columns = [np.full(100_000, series, "int32"), np.arange(100_000), *values]
            writer.write_table(pa.table(columns, schema=schema))
    return ROWS // 100_000 * len(range(24, 100_000, 5))
