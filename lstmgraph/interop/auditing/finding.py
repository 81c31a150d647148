"""What the audit finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Sure = Literal["certain", "likely", "possible"]

ORDER: tuple[Sure, ...] = ("certain", "likely", "possible")


@dataclass(frozen=True)
class Finding:
    """A place where a model computes something other than its code seems to say."""

    code: str
    """docs/errors.md lists the codes."""
    place: str
    """The path of the layer, those of nested models before it: ``encoder/lstm``; "" for all."""
    sure: Sure
    """``certain``: so for every input or every padded one; ``likely``: so unless something outside
    the model makes up for it; ``possible``: so for some data or on another machine."""
    message: str
    """What the model really computes."""
    seems: str
    """What the code seems to say."""
    keras: str
    """The fix in Keras, as code."""
    recipe: str
    """How a recipe says what was meant, as YAML."""
    number: str | None = None
    """What a run of the model shows, with ``--run``."""

    def as_dict(self) -> dict[str, Any]:
        """Return the stable form that ``--format json`` prints."""
        return {
            "code": self.code,
            "place": self.place,
            "sure": self.sure,
            "message": self.message,
            "seems": self.seems,
            "fix": {"keras": self.keras, "recipe": self.recipe},
            "number": self.number,
        }
