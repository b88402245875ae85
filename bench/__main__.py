"""The command line: `python -m bench --help` lists the commands."""

from __future__ import annotations

import argparse
import importlib
import sys

from suite.shared.errors import InputError

#: Each is a module of bench/commands, imported only when it is asked for: torch alone takes a second.
COMMANDS: dict[str, str] = {
    "diagnose": "say what a logged learning rate is, or what is wrong with it, and the line to change",
    "record": "run a training script unchanged, note the LR of every optimizer step, and diagnose it",
    "train": "train the toy model once and show the LR that every optimizer step used",
    "compare": "train the toy model under several schedules, paired by seed",
    "diverge": "train under schedules: which fail, how, what warned, and what would have held",
    "alarms": "measure anew how good each warning sign is, and whether the advice holds",
    "score": "score the diagnosis on generated faulty traces",
    "sweep": "train the toy model over LRs, warmups and seeds: tables, a heat map, curves",
    "claim": "measure the published answers of results/claims anew",
}


def main(argv: list[str] | None = None) -> int:
    """Parse and run one command; return its exit code (0 as expected, 1 a finding, 2 bad input)."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures what a warmup costs and buys on a toy Transformer, and says what is wrong with a run.",
        epilog="exit codes: 0 as expected, 1 a finding, 2 bad input",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if name == next((word for word in argv if not word.startswith("-")), None):
            module = importlib.import_module(f".commands.{name}", __package__)
            command.description = module.__doc__
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":  # worker processes import this module again
    sys.exit(main())
