"""A Ray cluster of several nodes on the loopback address, in a process of its own.

Prints its address, kills a node for each line that it reads, and ends with its input. Ray's
stand-in for a cluster starts the processes of each node apart, so that a node can die.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from ray._private.node import Node
    from ray.cluster_utils import Cluster

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # By its name for other systems; on Linux, too, it keeps all of Ray on 127.0.0.1.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
NODES = 3


def kill(cluster: Cluster, node: Node) -> None:
    """All of its processes at once, as when a machine loses its power."""
    (raylet,) = node.all_processes["raylet"]
    processes = psutil.Process(raylet.process.pid).children(recursive=True)
    cluster.remove_node(node, allow_graceful=False)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

    here = {"node_ip_address": "127.0.0.1", "include_log_monitor": False}
    size = {"num_cpus": 1, "num_gpus": 1}
    cluster = Cluster(True, head_node_args={"include_dashboard": False, **size, **here})
    nodes = [cluster.add_node(wait=False, **size, **here) for _ in range(NODES - 1)]
    cluster.wait_for_nodes()
    print(cluster.address, file=answers, flush=True)
    for _ in sys.stdin:
        kill(cluster, nodes.pop())
        print("killed", file=answers, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
