"""The command line: `python -m suite --help` lists the commands."""

from __future__ import annotations

from suite.shared.cli import exit_with, run_command

DESCRIPTION = "Checks torch's learning-rate schedulers and their compositions against closed forms."
COMMANDS: dict[str, str] = {
    "check": "check every composition on the installed torch, on another release, or on a given lr_scheduler.py",
    "show": "explain one known deviation, or print or draw one schedule",
    "upgrade": "compare two releases, of torch or of a library: which learning rates change, and what to write",
    "bisect": "find the releases that introduced and fixed a behaviour",
    "repro": "print a script that reproduces one case with torch, or the library, alone",
    "libraries": "check the schedules of other libraries: transformers, timm, optax and many more",
    "translate": "print the learning rates of a scheduler call, and how to write it in other libraries",
    "atlas": "run every case on every torch release and write results/atlas",
    "fetch": "download the scheduler files of releases, torch's or other libraries', into the cache",
    "prove": "install a release, of torch or of a library, and compare it bit for bit with its files run here",
    "accept": "accept today's deviations of the installed torch, or of the libraries, as known",
    "figures": "redraw the charts of results/figures",
    "readme": "update the generated numbers and tables of README.md",
}


def main(argv: list[str] | None = None) -> int:
    """Parse and run one command; return its exit code (see `suite.shared.cli`)."""
    return run_command(__package__, DESCRIPTION, COMMANDS, argv)


if __name__ == "__main__":  # the watchdog's child process imports this module again
    exit_with(main)
