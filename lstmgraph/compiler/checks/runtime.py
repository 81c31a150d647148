"""Check ``runtime:`` for settings that cannot be combined."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgraph.language.declaration.recipe import Runtime
    from lstmgraph.language.text.document import Document


CONFLICTING_KEYS: Mapping[str, tuple[str, ...]] = {
    "L704": ("xla",),
    "L705": ("deterministic",),
    "L706": (),
    "L707": ("memory_limit_mb",),
    "L708": ("batch_size",),
    "L772": ("strategy",),
}
"""By code, the keys that conflict with the one where the mistake is reported."""


def check_runtime(runtime: Runtime, document: Document) -> None:
    """Report settings that cannot be combined on any machine."""
    conflicts = {
        ("L704", "kernel"): (
            runtime.kernel == "cudnn" and runtime.xla is True,
            "`kernel: cudnn` and `xla: true` cannot be combined: XLA cannot compile cuDNN",
            "write `kernel: auto`, or `xla: auto`",
        ),
        ("L705", "xla"): (
            runtime.xla is True and runtime.deterministic,
            "`xla: true` and `deterministic: true` cannot be combined: Keras does not use XLA "
            "while operations are deterministic",
            "write `xla: auto`, or leave `deterministic` out",
        ),
        ("L706", "deterministic"): (
            runtime.deterministic and runtime.seed is None,
            "`deterministic: true` needs a seed: without one, every run draws different numbers",
            "add `seed:`, such as `seed: 7`",
        ),
        ("L707", "memory_growth"): (
            runtime.memory_growth is True and runtime.memory_limit_mb is not None,
            "`memory_growth` and `memory_limit_mb` cannot be combined: TensorFlow takes limited "
            "memory all at once",
            "remove one of the two",
        ),
        ("L708", "strategy"): (
            runtime.strategy == "mirrored" and runtime.batch_size is not None,
            "`strategy: mirrored` and `batch_size` cannot be combined: each copy of the model gets "
            "a part of the batch, but the model takes only whole batches",
            "remove one of the two",
        ),
        ("L772", "kernel"): (
            runtime.kernel == "fused" and runtime.strategy == "mirrored",
            "`kernel: fused` and `strategy: mirrored` cannot be combined: the loop is for CPUs",
            "write `kernel: auto`, or leave `strategy` out",
        ),
    }
    for (code, key), (is_wrong, message, hint) in conflicts.items():
        if is_wrong:
            others = [name for name in CONFLICTING_KEYS[code] if name in document.data["runtime"]]
            notes = tuple(
                document.note(("runtime", name), f"`{name}` is set here", at_key=True)
                for name in others
            )
            document.report(code, ("runtime", key), message, hint=hint, at_key=True, notes=notes)
