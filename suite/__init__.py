"""The conformance suite: torch's schedulers and their compositions against the closed forms."""
