"""From a case to a verdict: build the torch scheduler, run the loop, compare with the reference."""
