"""Releases really installed, against their scheduler file run here."""
