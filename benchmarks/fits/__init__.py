"""Whole trainings as plain Keras scripts, for `python -m benchmarks fit`.

``python -m benchmarks.fits.speakers DATA FOLDER EPOCHS SEED`` trains what the recipe
speaker-classifier trains, and writes the model to FOLDER.
"""
