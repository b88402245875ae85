"""Releases that are really installed, compared with their scheduler file run here."""
