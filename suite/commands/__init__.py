"""One module for each command of `python -m suite`, under the command's name."""
