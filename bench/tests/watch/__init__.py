"""Tests of the recorder and the monitor."""
