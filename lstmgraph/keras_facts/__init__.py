"""Facts about Keras's layers, losses, metrics and optimizers, without importing Keras."""
