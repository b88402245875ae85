"""The history of training over torch releases: measured in turns on one machine, and published."""
