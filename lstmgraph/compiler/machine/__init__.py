"""Find out what each setting of `runtime:` does on a machine, without TensorFlow."""
