"""The errors of the schema's validator, and the mistakes that are reported for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.messages.diagnostics import Path


class StructureError(Protocol):
    """The attributes used of ``jsonschema.ValidationError``, which declares them as optional."""

    validator: Any
    validator_value: Any
    instance: Any
    schema: Any

    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def absolute_path(self) -> Iterable[str | int]: ...  # noqa: D102
    @property
    def absolute_schema_path(self) -> Iterable[str | int]: ...  # noqa: D102


@dataclass(frozen=True)
class SchemaMistake:
    """One structural mistake in a recipe."""

    code: str
    path: Path
    message: str
    hint: str | None = None
    at_key: bool = False
    displaced: bool = False
    """Whether this is a section in the wrong place, whose content need not be wrong."""
    missing: str | None = None
    """The key that is missing, or that this unknown key is a misspelling of."""
    notes: tuple[tuple[Path, str], ...] = ()
    """Related places and the notes on them; places that are not in the text are skipped."""
