"""Fail where an installed package is newer than its lower bound: ``lowest.py test``.

The resolver takes a newer one where other packages ask for it; then the bound promises what cannot
be installed. On newer versions of Python nothing is held: old packages have no wheels for them.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import metadata, requires, version

from packaging.requirements import Requirement
from packaging.version import Version


def bounds(extra: str) -> Iterator[tuple[str, str]]:
    """The packages of every installation and of an extra, each with its lower bound."""
    for each in map(Requirement, requires("lstmgraph") or []):
        if each.marker is None or each.marker.evaluate({"extra": extra}):
            for inner in each.extras if each.name == "lstmgraph" else ():
                yield from bounds(inner)
            for one in each.specifier:
                if one.operator == ">=":
                    yield each.name, one.version


oldest = re.search(r">=3\.(\d+)", metadata("lstmgraph")["Requires-Python"])
if oldest and sys.version_info.minor > int(oldest[1]):
    sys.stdout.write(f"not held on Python 3.{sys.version_info.minor}\n")
    sys.exit()
newer = [
    f"{name} {version(name)} is installed where pyproject.toml says >={lowest}"
    for name, lowest in sorted({*bounds(sys.argv[1])})
    if Version(version(name)) != Version(lowest)
]
sys.exit("\n".join(newer) or None)
