"""The schema that editors read, made once."""

from __future__ import annotations

from lstmgraph.authoring.editor_schema import published_schema

BUNDLED = published_schema()
