"""What the validator of the schema finds, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmgraph.messages.diagnostics import Path


class StructureError(Protocol):
    """What is read of a ``jsonschema.ValidationError``, whose own types admit values not set."""

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
    """One structural mistake."""

    code: str
    path: Path
    message: str
    hint: str | None = None
    at_key: bool = False
    displaced: bool = False
    """Whether a whole section stands here that belongs elsewhere: what it holds is not wrong."""
    missing: str | None = None
    """The key that is not there, or that another stands for."""
    notes: tuple[tuple[Path, str], ...] = ()
    """Other places that it has to do with; one that is not in the text says nothing."""
