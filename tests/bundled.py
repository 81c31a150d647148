"""The schema that editors read: made once, where a test asks for it, as that takes a second."""

from __future__ import annotations

from functools import cache
from typing import Any

from lstmgraph.authoring.editor_schema import published_schema


@cache
def bundled() -> dict[str, Any]:
    return published_schema()
