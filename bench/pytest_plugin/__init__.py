"""Checks of learning rates for other people's tests, as pytest fixtures: see `plugin`."""
