"""Generated logs with a known fault or none, on which the diagnosis is scored."""
