"""Tests of the reference schedules."""
