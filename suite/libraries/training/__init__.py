"""Frameworks with a training loop, and their schedules."""
