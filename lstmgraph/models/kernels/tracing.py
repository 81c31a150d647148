"""What TensorFlow does with the function that is being traced."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext


def is_compiled_by_xla() -> bool:
    """Return whether XLA compiles what is being traced; False outside of a ``tf.function``."""
    return bool(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
