"""Schedules of other libraries, run from their own wheels and held to the closed forms of `reference`."""
