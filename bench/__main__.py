"""The command line: `python -m bench --help` lists the commands."""

from __future__ import annotations

from suite.shared.cli import exit_with, run_command

DESCRIPTION = "Diagnoses learning-rate schedules in logs and runs, and measures what warmup does for a toy Transformer."
COMMANDS: dict[str, str] = {
    "diagnose": "identify the schedule in a log, or what is wrong with it and how to fix it",
    "record": "run a training script unchanged, record the LR of every optimizer step, and diagnose it",
    "train": "train the toy model once and show the LR that every optimizer step used",
    "compare": "train the toy model under several schedules, paired by seed",
    "diverge": "train under several schedules: which diverge, what warned early, what would have prevented it",
    "alarms": "measure how reliable each warning sign is, and whether the advice works",
    "score": "score the diagnosis on generated faulty traces",
    "sweep": "train the toy model over LRs, warmups and seeds: tables, a heat map, curves",
    "stability": "measure the edge of stability under each warmup; compare two commits; prove that faults are reported",
    "torch": "make an environment of a torch release for this CPU, without the CUDA libraries",
    "history": "measure training in many torch releases on this CPU, and publish how it changed",
    "cuda": "measure on a GPU, in one command: correctness, speed, memory, stability; results/cuda",
    "claim": "measure the published answers of results/claims again",
}


def main(argv: list[str] | None = None) -> int:
    """Parse and run one command; return its exit code (see `suite.shared.cli`)."""
    return run_command(__package__, DESCRIPTION, COMMANDS, argv)


if __name__ == "__main__":  # worker processes import this module again
    exit_with(main)
