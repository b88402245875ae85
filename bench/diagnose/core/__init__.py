"""What a diagnosis is made of: the trace, the causes, the explanations."""
