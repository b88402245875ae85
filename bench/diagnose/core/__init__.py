"""The parts of a diagnosis: trace, causes, explanations."""
