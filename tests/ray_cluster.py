"""A Ray cluster of several nodes on the loopback address, in a process of its own.

Prints its address, kills a node for each line that it reads, and ends with its input. Ray's stand-in
for a cluster starts the processes of each node apart, so that a node can die.
"""

from __future__ import annotations

import os
import sys

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # By its name for other systems; on Linux, too, it keeps all of Ray on 127.0.0.1.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
NODES = 3


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

    here = {"node_ip_address": "127.0.0.1", "include_log_monitor": False}
    size = {"num_cpus": 1, "num_gpus": 1}
    cluster = Cluster(True, head_node_args={"include_dashboard": False, **size, **here})
    nodes = [cluster.add_node(wait=False, **size, **here) for _ in range(NODES - 1)]
    cluster.wait_for_nodes()
    print(cluster.address, file=answers, flush=True)  # noqa: T201
    for _ in sys.stdin:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("killed", file=answers, flush=True)  # noqa: T201
    cluster.shutdown()


if __name__ == "__main__":
    main()
