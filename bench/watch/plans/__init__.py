"""What the schedulers of a recorded run planned, and whether its updates followed."""
