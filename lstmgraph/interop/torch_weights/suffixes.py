"""Endings of files with PyTorch's weights."""

SAFETENSORS = ".safetensors"
TORCH_SUFFIXES = (SAFETENSORS, ".pt", ".pth", ".bin")
