"""What is captured at each optimizer step, and where it is kept."""
