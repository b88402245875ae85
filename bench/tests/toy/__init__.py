"""Tests of the toy task, the model and both trainers."""
