"""Reference results of this repository: nothing to do with warmup-bench."""

OWN = "their reference"
