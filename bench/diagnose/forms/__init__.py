"""Told W, the total and the base LR: the schedules of known libraries with these settings, and what can go wrong."""
