"""Public architectures with recurrent layers, written by hand in Keras, in tiny sizes.

They follow keras.io's examples, papers and what people ask; no code is copied.
"""
