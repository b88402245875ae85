"""Tests of the measurements on a GPU, run on a CPU with tiny sizes."""
