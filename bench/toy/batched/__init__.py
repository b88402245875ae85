"""Many replicas trained at once, each exactly as if it were alone."""
