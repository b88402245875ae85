"""Which runs of the toy model fail, how, what warns of it, and what would have held."""
