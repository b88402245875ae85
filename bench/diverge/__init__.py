"""Which toy-model runs diverge, the early warnings, and what would have prevented it."""
