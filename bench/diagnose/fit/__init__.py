"""Fit a schedule's shape and parameters to a logged trace."""
