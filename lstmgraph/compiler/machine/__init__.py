"""What each setting of `runtime:` does on a machine, without TensorFlow."""
