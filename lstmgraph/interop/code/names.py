"""Names of variables, made from the names of layers."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass, field

MODULES = frozenset(
    {"constraints", "initializers", "keras", "layers", "np", "ops", "pd", "regularizers", "sys"}
)
RESERVED = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *MODULES})


@dataclass
class Names:
    """Gives out names, each once."""

    taken: set[str] = field(default_factory=set)

    def new(self, wish: str) -> str:
        """Return `wish` as a valid name that is not taken yet."""
        base = identifier(wish)
        name, count = base, 1
        while name in self.taken:
            count += 1
            name = f"{base}_{count}"
        self.taken.add(name)
        return name


def identifier(text: str) -> str:
    """Return a text of any characters as an identifier that hides nothing of Python."""
    # ASCII alone: Python takes some other letters for the same one.
    name = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")[:60] or "layer"
    if name[0].isdigit():
        name = f"layer_{name}"
    return f"{name}_" if name in RESERVED else name
