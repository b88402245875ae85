"""Facts about a trace that need no named schedule: phases, ends, jumps, values that no sound schedule has."""
