"""One invocation of `sweep`: checks before the work, progress during it, tables and pictures after it."""

from __future__ import annotations

import argparse
import importlib
import io
import json
from concurrent.futures import BrokenExecutor, CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.toy.machine import cores, machine
from reference.check import integer
from suite.shared.cli import InputError
from suite.shared.console import plain_console
from suite.shared.files import write_whole
from suite.shared.plots import house_style

from .engine import DiskError, dask, processes, run_sweep
from .inputs import check_device
from .progress import progress
from .spec import Spec
from .tables import Results, runs_table, summary_table
from .train import OtherCode

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: How to start a cluster whose processes find this code.
HINT = "PYTHONPATH=. dask scheduler; PYTHONPATH=. dask worker ADDRESS --nthreads 1"


def prepare(args: argparse.Namespace, spec: Spec) -> None:
    """Check now, not after minutes of work, that packages are installed and the folder is writable.

    Raises OSError, ValueError or ModuleNotFoundError.
    """
    for name in ("pandas", "matplotlib.figure", *(["distributed"] if args.dask else [])):
        importlib.import_module(name)
    for name in ("jobs", "shard"):
        if getattr(args, name) is not None:
            integer(name, getattr(args, name), 1)
    check_device(spec.device)
    try:
        (args.out / "shards").mkdir(parents=True, exist_ok=True)
        about = {**{k: v for k, v in vars(spec).items() if k != "config"}, "config": vars(spec.config)}
        text = json.dumps({"machine": machine(), "convention": "family A, clamped", **about}, indent=1)
        write_whole(args.out / "sweep.json", text.encode() + b"\n")
    except OSError as error:
        raise ValueError(f"out={args.out} must be a writable folder: {error.strerror}") from error


def work(args: argparse.Namespace, spec: Spec) -> Results:
    """Run what is not finished yet. Raises InputError, in one line, if the disk or a worker fails."""
    jobs = args.jobs or (1 if spec.device != "cpu" else cores())
    try:
        with dask(args.dask) if args.dask else processes(jobs) as executor, progress(quiet=args.quiet) as report:
            return run_sweep(spec, executor, args.out / "shards", size=args.shard, jobs=jobs, report=report)
    except (DiskError, OtherCode) as error:
        raise InputError(str(error)) from error
    except (BrokenExecutor, CancelledError) as error:
        name = f"dask={args.dask}" if args.dask else f"jobs={jobs}"
        raise InputError(f"{name}: a worker died ({error}); {resume_hint(args.out)}") from error
    except RuntimeError as error:
        if "deserialization" not in str(error):
            raise
        raise InputError(f"dask={args.dask} must run its scheduler and workers in this folder: {HINT}") from error
    except OSError as error:
        if not args.dask:
            raise
        raise InputError(f"dask={args.dask} must be the address of a scheduler: {error}") from error


def resume_hint(out: Path) -> str:
    """What to do after an interruption."""
    return f"finished runs are saved in {out / 'shards'}, rerun the same command to resume"


def finish(args: argparse.Namespace, spec: Spec, results: Results) -> None:
    """Write the tables and pictures, and print the summary."""
    from .pictures import heatmap, sensitivity
    from .sweep_report import print_tables

    summary = summary_table(results, spec)
    for name, table in (("runs", runs_table(results, spec)), ("summary", summary)):
        write_whole(args.out / f"{name}.csv", table.to_csv(index=False, lineterminator="\n").encode())
    with house_style():
        write_whole(args.out / "heatmap.png", _png(heatmap(results, spec, machine())))
        write_whole(args.out / "sensitivity.png", _png(sensitivity(summary, spec, machine())))
    paths = [str(args.out / name) for name in ("runs.csv", "summary.csv", "heatmap.png", "sensitivity.png")]
    if args.json:
        records: list[dict[str, Any]] = json.loads(summary.to_json(orient="records", double_precision=15))
        print(json.dumps({"runs": len(results), "files": paths, "summary": records}, indent=1))
    elif not args.quiet:
        console = plain_console()
        print_tables(console, summary, spec)
        console.print("\n" + "\n".join(paths))


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150)
    return data.getvalue()
