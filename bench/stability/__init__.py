"""Changes of training between two commits: asv's results compared, and the proof that planted faults are reported."""
