"""What Keras's layers, losses, metrics and optimizers take and do, without Keras."""
