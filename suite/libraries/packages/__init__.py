"""Packages of schedules and optimizers alone."""
