"""Seeds of a model that lstmgraph built: they come from one, which the recipe says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgraph.models.seeds import derived_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lstmgraph.interop.importing.lifting import Lifted

MOST = 1000
"""How many seeds to try."""


class Seeds:
    """The seed of a recipe, if the layers' seeds are derived from one."""

    def __init__(self, lifted: Lifted) -> None:
        found = {
            place
            for node in lifted.nodes
            for name, config in _layers(node.layer.name, node.layer.config)
            for place in _seeds(name, config)
        }
        self.seed = next(
            (
                seed
                for seed in range(MOST)
                if any(derived_seed(seed, name, key) == own for name, key, own in list(found)[:1])
            ),
            None,
        )
        if self.seed is None and found:
            for name, key, own in sorted(found)[:5]:
                self.seed = next(
                    (seed for seed in range(MOST) if derived_seed(seed, name, key) == own), None
                )
                if self.seed is not None:
                    break

    def without_known(self, name: str, _type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration without the seeds that come from the recipe's."""
        found = dict(config)
        if self.seed is None:
            return found
        for key, value in config.items():
            if key == "seed" and value == derived_seed(self.seed, name, "seed"):
                found[key] = None
            own = value.get("config") if isinstance(value, dict) else None
            if (
                isinstance(own, dict)
                and "seed" in own
                and own["seed"] == derived_seed(self.seed, name, key)
            ):
                found[key] = {**value, "config": {**own, "seed": None}}
        return found

    def without_all(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration without any seed, or name of an inner layer."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items() if k not in ("seed", "name")}
            if isinstance(value, list):
                return [plain(each) for each in value]
            return value

        found: dict[str, Any] = plain(dict(config))
        return found


def _layers(name: str, config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a layer and those inside it, with the names that lstmgraph gives them."""
    yield name, config
    for key, own, inner in inner_layers(name, config):
        del key
        yield from _layers(own, inner)


def inner_layers(
    name: str, config: Mapping[str, Any]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the layers inside a layer: key, name as lstmgraph gives it, configuration."""
    is_bidirectional = "backward_layer" in config
    names = {
        "layer": f"forward_{name}" if is_bidirectional else f"{name}_layer",
        "backward_layer": f"backward_{name}",
        "cell": f"{name}_cell_1",
    }
    for key, own in names.items():
        inner = config.get(key)
        if not isinstance(inner, dict) or not isinstance(inner.get("config"), dict):
            continue
        cells = inner["config"].get("cells")
        if key == "cell" and isinstance(cells, list):
            for number, cell in enumerate(cells, start=1):
                yield key, f"{name}_cell_{number}", cell.get("config") or {}
        else:
            yield key, own, inner["config"]


def _seeds(name: str, config: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    for key, value in config.items():
        if key == "seed" and isinstance(value, int):
            yield name, "seed", value
        own = value.get("config") if isinstance(value, dict) else None
        if isinstance(own, dict) and isinstance(own.get("seed"), int) and key != "layer":
            yield name, key, own["seed"]
