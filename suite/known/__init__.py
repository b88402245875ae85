"""The known deviations from the documentation, and how a verdict relates to them."""
