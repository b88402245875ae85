"""Releases of torch on a CPU: an environment of each from its Linux wheel, without the CUDA libraries."""
