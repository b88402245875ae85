"""The commands of ``python -m bench``, one module each: `add_arguments(parser)` and `run(args) -> exit code`."""
