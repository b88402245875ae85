"""Folders of runs, as tools lay them out, give one table, the worst run first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.diagnose.log.run_folder import find_runs, read_run
from reference import parse

from .test_log_events import HEADER, scalar
from .test_log_wandb import wandb_file

HEALTHY = parse("linear4+cosine16")(range(20), 0.5).tolist()
#: The same, but the scheduler is never stepped past the warmup's end.
STUCK = HEALTHY[:4] + [HEALTHY[3]] * 16


def events(lrs: list[float]) -> bytes:
    """An event file with these LRs and a loss."""
    return HEADER + b"".join(scalar("loss", i, 2.0) + scalar("lr", i, lr) for i, lr in enumerate(lrs))


def table(lrs: list[float]) -> str:
    """A CSV file with these LRs."""
    return "step,lr\n" + "".join(f"{i},{lr!r}\n" for i, lr in enumerate(lrs))


def state(lrs: list[float]) -> str:
    """A Trainer's state that logged these LRs."""
    history = [{"step": i + 1, "learning_rate": lr} for i, lr in enumerate(lrs)]
    return json.dumps({"max_steps": 99, "log_history": history})


def store(lrs: list[float]) -> str:
    """A metric of MLflow's file store."""
    return "".join(f"{1700000000000 + i} {lr!r} {i}\n" for i, lr in enumerate(lrs))


#: Files of a folder, and the runs in it: their names, and how many LRs each trace of theirs has.
LAYOUTS: dict[str, tuple[dict[str, str | bytes], dict[str, list[int]]]] = {
    "tensorboard": (
        {
            "a/events.out.tfevents.1.host": events(HEALTHY),
            "b/lr_scale/events.out.tfevents.1.host": events(STUCK[:7]),
            "b/events.out.tfevents.9.host": events(HEALTHY[:9]),
            "b/events.out.tfevents.10.host": events(HEALTHY[:12]),
            ".git/events.out.tfevents.1.host": events(HEALTHY),
        },
        {"a": [20], "b": [12], "b/lr_scale": [7]},
    ),
    "lightning": (
        {
            "lightning_logs/version_0/metrics.csv": table(HEALTHY),
            "lightning_logs/version_0/hparams.yaml": "lr: 0.1\n",
            "lightning_logs/version_1/metrics.csv": table(STUCK[:8]),
        },
        {"lightning_logs/version_0": [20], "lightning_logs/version_1": [8]},
    ),
    "trainer": (
        {
            "out/checkpoint-900/trainer_state.json": state(HEALTHY[:9]),
            "out/checkpoint-1000/trainer_state.json": state(HEALTHY[:10]),
            "out/checkpoint-1000/config.json": '{"lr": 3}',
            "out/runs/Nov27_host/events.out.tfevents.1.host": events(HEALTHY),
        },
        {"out": [10]},
    ),
    "mlflow": (
        {
            "0/meta.yaml": "x: 1\n",
            "0/ab12/metrics/train/lr": store(HEALTHY),
            "0/ab12/metrics/train/loss": store(STUCK),
            "0/ab12/params/lr": "0.1",
        },
        {"0/ab12": [20]},
    ),
    "dvclive": (
        {
            "dvclive/plots/metrics/lr/pg0.tsv": "step\tlr/pg0\n0\t0.5\n1\t0.25\n",
            "dvclive/plots/metrics/lr/pg1.tsv": "step\tlr/pg1\n0\t0.5\n1\t0.25\n2\t0.1\n",
            "dvclive/plots/metrics/loss.tsv": "step\tloss\n0\t0.5\n1\t0.25\n",
            "dvclive/metrics.json": '{"lr": {"pg0": 0.25}, "step": 1}',
        },
        {"dvclive": [2, 3]},
    ),
    "mmengine": (
        {
            "work/20240101_120000/vis_data/scalars.json": '{"lr": 0.5, "step": 1}\n{"lr": 0.25, "step": 2}\n',
            "work/20240101_120000/20240101_120000.log": "start\nIter(train) [1/9] lr: 5e-01\n",
            "work/20240101_120000/vis_data/config.py": "lr = 0.1\n",
        },
        {"work/20240101_120000": [2]},
    ),
    "wandb": (
        {
            "wandb/offline-run-1-ab/run-ab.wandb": wandb_file(HEALTHY),
            "wandb/offline-run-1-ab/files/config.json": "{}",
            "wandb/offline-run-1-ab/logs/debug.log": "start\nlr 0.1\n",
        },
        {"wandb/offline-run-1-ab": [20]},
    ),
    "files": (
        {"a.csv": table(HEALTHY), "b.csv": table(STUCK[:9]), "deep/c.csv": table(HEALTHY[:3])},
        {"a.csv": [20], "b.csv": [9], "deep": [3]},
    ),
    "printed": ({"run/train.log": "start\nstep 1 lr 0.5\nstep 2 lr 0.25\n", "run/notes.csv": "a,b\n"}, {"run": [2]}),
}


def laid_out(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write the files of a layout."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_tools_are_runs(name: str, tmp_path: Path) -> None:
    """Checkpoints, resumed files and the folders of a tool belong to one run; other metrics are left out."""
    files, expected = LAYOUTS[name]
    laid_out(tmp_path, files)
    runs = {run.name: [trace.lrs.size for trace in read_run(run).traces] for run in find_runs(tmp_path)}
    assert runs == expected


@pytest.fixture
def three_runs(tmp_path: Path) -> Path:
    """A healthy run, a faulty one, and one that logs no learning rate."""
    laid_out(
        tmp_path,
        {
            "a/metrics.csv": table(HEALTHY),
            "b/metrics.csv": table(STUCK),
            "c/metrics.csv": "step,loss\n0,1\n1,2\n",
        },
    )
    return tmp_path


def test_the_worst_run_comes_first(three_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row for each run that was read, a line for each that was not, and exit code 1 for any that is sick."""
    asked = ["--expect", "linear4+cosine16", "--base-lr", "0.5"]
    assert main(["diagnose", str(three_runs), *asked]) == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = [line[:2] for line in lines if line[:1] in (["a"], ["b"])]
    assert rows == [["b", "fault"], ["a", "healthy"]]
    assert ["Not", "read:", "c:"] in [line[:3] for line in lines]
    assert main(["diagnose", str(three_runs), *asked, "--json"]) == 1
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [(run["run"], run["verdict"]) for run in runs] == [("b", "fault"), ("a", "healthy"), ("c", "not read")]
    assert runs[0]["diagnoses"][0]["verdict"] == "fault"
    assert "must include a learning rate" in runs[2]["unread"]


def test_a_folder_of_one_run_is_that_run(three_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is diagnosed in full, like its file."""
    assert main(["diagnose", str(three_runs / "a")]) == 0
    assert capsys.readouterr().out.startswith("Healthy: ")


def test_folders_without_a_learning_rate_are_refused(three_runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is missing; a page of several runs is refused too."""
    (three_runs / "empty").mkdir()
    for arguments, text in (
        ([str(three_runs / "empty")], "must have logs"),
        ([str(three_runs / "c")], "must include a learning rate"),
        ([str(three_runs), "--html", str(three_runs / "x.html")], "html="),
    ):
        assert main(["diagnose", *arguments]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert text in err


def test_a_value_that_no_name_calls_a_learning_rate_is_not_read(tmp_path: Path) -> None:
    """In a folder a table of values may hold anything."""
    laid_out(tmp_path, {"speed.csv": "step,value\n0,1\n1,2\n"})
    (run,) = find_runs(tmp_path)
    with pytest.raises(ValueError, match=r"^column='value' in speed\.csv must be named as a learning rate$"):
        read_run(run)
