"""What both command lines share: the frame, console output, files, plots."""
