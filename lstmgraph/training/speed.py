"""How `fit` and `evaluate` run steps: several at once, and compiled with XLA where it pays."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras

from lstmgraph.compiler.machine.fitting import StepCost, step_cost
from lstmgraph.compiler.machine.fused import fused_nodes
from lstmgraph.compiler.machine.plan import choose_xla
from lstmgraph.models.runtime import build_optimizer, seen_machine
from lstmgraph.models.steps import Compilation, Function, Steps, steps_at_once
from lstmgraph.training.callbacks import StopOnNaN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lstmgraph.compiler.compile import CompiledRecipe
    from lstmgraph.data.feeding import Feed

BATCH_HOOKS = tuple(
    f"on_{kind}batch_{when}" for kind in ("", "train_", "test_") for when in ("begin", "end")
)


@dataclass
class Speed:
    """Runs `fit` and `evaluate` of a model on feeds; without `cost`, as Keras does.

    The numbers are those of Keras's own functions: bit by bit without XLA, and with it up to
    rounding.
    """

    model: keras.Model
    cost: StepCost | None
    xla: bool = False
    """Whether `fit` is compiled."""
    evaluate_xla: bool = False
    stopper: StopOnNaN | None = None
    """What ends the training where the loss is not finite."""
    always: bool = False
    """Whether the recipe asks for XLA, so that what XLA cannot compile is an error."""
    at_once: int = 1
    compilation: Compilation = field(default_factory=Compilation)

    _functions: list[Function] = field(default_factory=list)

    def training_on(self, train: Feed, held_out: Feed | None) -> None:
        """Prepare `fit` for the training feed and the one that validates each epoch."""
        if self.cost is not None:
            stopper = self.stopper
            steps = self._steps(self.model.train_step, train, xla=self.xla, stopper=stopper)
            self.model.train_function = steps
            if stopper is not None:
                stopper.steps = steps
            if held_out is not None:
                self.evaluating_on(held_out)

    def evaluating_on(self, feed: Feed, model: keras.Model | None = None) -> Any:
        """Prepare `evaluate` for a feed, unless that of another model is asked for.

        Return what `evaluate` is given.
        """
        if self.cost is None or model not in (None, self.model):
            return feed.dataset
        steps = self._steps(self.model.test_step, feed, xla=self.evaluate_xla)
        self.model.test_function = steps
        return feed.counted

    def batches(self, feed: Feed) -> Any:
        """Return what `fit` is given for a feed that it was prepared for."""
        return feed.dataset if self.cost is None else feed.counted

    def _steps(
        self, step: Any, feed: Feed, *, xla: bool, stopper: StopOnNaN | None = None
    ) -> Steps:
        spec = feed.dataset.element_spec
        others = self.model._make_function(step)
        for function in self._functions:
            if function.step == step and function.spec == spec:
                return Steps(function, feed, self.at_once, others)
        function = Function(
            step,
            spec,
            self.compilation,
            xla=xla or self.always,
            must=self.always,
            while_finite=stopper is not None,
        )
        self._functions.append(function)
        return Steps(function, feed, self.at_once, others)


@contextmanager
def speed_of(  # noqa: PLR0913 - what the speed depends on
    model: keras.Model,
    recipe: CompiledRecipe,
    train: Feed,
    held_out: Feed | None,
    callbacks: Iterable[keras.callbacks.Callback],
    *,
    epochs: int,
    chosen: bool | None = None,
) -> Iterator[Speed]:
    """Yield what runs `fit` and `evaluate` of `model`; Keras's own functions are back afterwards.

    Args:
        model: The model of `recipe`.
        recipe: The recipe.
        train: The training examples.
        held_out: The validation examples.
        callbacks: The callbacks of recipe and user; one that follows batches sees each of them.
        epochs: The epochs of the whole training.
        chosen: Whether an earlier part of the same training was compiled; None if there is none.
    """
    runtime, machine = recipe.declaration.runtime, seen_machine()
    on_cpu = machine.backend == "tensorflow" and not machine.gpus
    if not on_cpu or runtime.strategy == "mirrored" or not train.steps:
        yield Speed(model, None)
        return
    fused = fused_nodes(runtime, recipe.graph, machine)
    sizes = _sizes(recipe, train.examples.shapes)
    cost = step_cost(recipe.graph, train.batch_size, sizes, fused)
    choice = choose_xla(runtime, recipe.graph, machine)
    xla = choice.fit and (
        chosen if chosen is not None else cost.pays(train.steps * epochs, train.shape_count)
    )
    evaluate_xla = bool(
        xla and held_out and cost.pays(held_out.steps * epochs, held_out.shape_count, forwards=True)
    )
    callbacks = list(callbacks)
    stopper = next((each for each in callbacks if isinstance(each, StopOnNaN)), None)
    follows = any(_follows_batches(each) for each in callbacks if each is not stopper)
    speed = Speed(
        model,
        cost,
        xla=xla,
        evaluate_xla=evaluate_xla,
        stopper=stopper,
        always=bool(model.jit_compile),
        at_once=1 if follows else _even(cost.at_once, train.steps),
    )
    build_optimizer(model)
    with steps_at_once(model, speed.at_once):
        speed.training_on(train, held_out)
        yield speed


def _even(most: int, steps: int) -> int:
    """Return at most `most` so that an epoch of `steps` is cut into parts of about one size.

    Keras's progress bar counts whole parts.
    """
    return -(-steps // -(-steps // most))


def _follows_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback is called for batches, by a method of its class or an own one."""
    plain = keras.callbacks.Callback
    return any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(plain, hook)
        for hook in BATCH_HOOKS
    )


def _sizes(recipe: CompiledRecipe, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Return the sizes that the data gives to the open dimensions of the recipe's inputs."""
    return {
        str(name): size
        for tensor, own in recipe.graph.inputs.items()
        if tensor in shapes
        for name, size in zip(own.spec.shape[1:], shapes[tensor], strict=False)
        if not isinstance(name, int)
    }
