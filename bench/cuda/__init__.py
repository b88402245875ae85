"""What a person with a GPU measures once: correctness, speed, memory and stability of training with a warmup on it."""
