"""Existing Keras models: read, audited, turned into recipes; recipes turned into Keras code."""
