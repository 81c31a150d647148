"""Search jobs: keras-tuner's oracles choose, child processes train, a journal remembers."""
