"""Loops of recurrent layers with gradients of their own, for training on a CPU with TensorFlow.

Keras's loop is differentiated step by step. Here the inputs of all steps are projected in one
product before the loop, the loop keeps gates and states, and the gradient is one loop backwards
over factors that were computed for all steps at once, followed by one product for each matrix. A
layer stays the Keras layer that it is: only its loop is replaced, on the object, so nothing of it
is saved.
"""

from lstmgraph.models.kernels.installation import can_install, install
from lstmgraph.models.kernels.lookups import mark_wrong_ids
from lstmgraph.models.kernels.random_layers import keep_numbers

__all__ = ["can_install", "install", "keep_numbers", "mark_wrong_ids"]
