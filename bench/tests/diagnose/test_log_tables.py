"""Tables of tracking tools, compressed and unfinished files, and steps in other units are read as traces."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.diagnose.examine import examine
from bench.diagnose.log.axis import Units
from bench.diagnose.log.read_log import Log, read_log

LRS = [0.001, 0.0005, 0.00025, 0.000125]
STEPS = [10, 20, 30, 40]
ROWS = list(zip(STEPS, LRS, strict=True))
LONG = [(name, value, step) for step, lr in ROWS for name, value in (("loss", 2.0), ("train/lr", lr))]
#: The same four steps as tools write them: file name, text, columns.
TABLES = {
    "tensorboard_json": ("run.json", json.dumps([[1.7e9, step, lr] for step, lr in ROWS]), ["value"]),
    "pairs": ("log.json", json.dumps(ROWS), ["lr"]),
    "mlflow_store": ("learning_rate", "".join(f"1700000000000 {lr} {step}\n" for step, lr in ROWS), ["value"]),
    "mlflow_rest": (
        "m.json",
        json.dumps({"metrics": [{"key": k, "value": v, "timestamp": 1, "step": s} for k, v, s in LONG]}),
        ["train/lr"],
    ),
    "comet": (
        "c.json",
        json.dumps([{"metricName": k, "metricValue": str(v), "step": s, "epoch": None} for k, v, s in LONG]),
        ["train/lr"],
    ),
    "aim": (
        "a.csv",
        "run.hash,metric.name,metric.context,step,value,epoch,time\n"
        + "".join(f'ab12,{k},"{{""subset"": ""train""}}",{s},{v},0,1.7e9\n' for k, v, s in LONG),
        ["train/lr"],
    ),
    "long": ("l.csv", "tag,step,value\n" + "".join(f"{k},{s},{v}\n" for k, v, s in LONG), ["train/lr"]),
    "dvclive": ("lr.tsv", "timestamp\tstep\tlr\n" + "".join(f"1623671484747\t{s}\t{lr}\n" for s, lr in ROWS), ["lr"]),
    "wandb_history": (
        "history.csv",
        "_step,train/loss,train/learning_rate,train/global_step\n"
        + "".join(f"{i},2.0,{lr},{step}\n" for i, (step, lr) in enumerate(ROWS)),
        ["train/learning_rate"],
    ),
    "nested": (
        "n.jsonl",
        "".join(json.dumps({"step": step, "metrics": {"lr": lr, "loss": [1, 2]}}) + "\n" for step, lr in ROWS),
        ["metrics/lr"],
    ),
    "list_of_groups": (
        "n.jsonl",
        "".join(json.dumps({"step": step, "lr": [lr, lr]}) + "\n" for step, lr in ROWS),
        ["lr group 0", "lr group 1"],
    ),
    "text_of_a_list": (
        "n.csv",
        "step,lr\n" + "".join(f'{step},"[{lr}, {lr}]"\n' for step, lr in ROWS),
        ["lr group 0", "lr group 1"],
    ),
    "mapping_of_groups": (
        "n.jsonl",
        "".join(json.dumps({"step": step, "lr": {"head": lr, "body": lr}}) + "\n" for step, lr in ROWS),
        ["lr/head", "lr/body"],
    ),
    "keras": ("h.json", json.dumps({"history": {"epoch": STEPS, "lr": LRS, "loss": LRS}}), ["lr"]),
    "setting_beside_it": (
        "s.jsonl",
        "".join(json.dumps({"base_lr": 0.1, "lr": lr, "iter": step}) + "\n" for step, lr in ROWS),
        ["lr"],
    ),
    "utf16": ("log.csv", "step,lr\n" + "".join(f"{step},{lr}\n" for step, lr in ROWS), ["lr"]),
}


def written(folder: Path, text: str | bytes, name: str = "log.csv") -> Path:
    """A file with a text."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def series(log: Log) -> dict[str, tuple[list[int], list[float]]]:
    """The logged steps and LRs of every trace, by name."""
    return {trace.name: ((trace.steps + log.first_step).tolist(), trace.lrs.tolist()) for trace in log.traces}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", TABLES)
def test_tables_of_tools_are_read(name: str, packed: bool, tmp_path: Path) -> None:
    """Every tool's table has the same LRs, packed or not, and the metrics beside them are left out."""
    file, text, columns = TABLES[name]
    data = text.encode("utf-16" if name == "utf16" else "utf-8")
    log = read_log(written(tmp_path, gzip.compress(data) if packed else data, file))
    assert series(log) == dict.fromkeys(columns, (STEPS, LRS))


def test_parquet_is_read(tmp_path: Path) -> None:
    """The history of Weights & Biases has missing cells and an index of its own beside the step of the run."""
    pytest.importorskip("pyarrow", reason="logs in Parquet need pyarrow: pip install '.[bench]'")
    import pandas as pd

    rows = {"_step": [0, 1, 2, 3, 4], "train/global_step": [10, 15, 20, 30, 40], "train/lr": [LRS[0], None, *LRS[1:]]}
    frame = pd.DataFrame({**rows, "note": ["a", None, "b", "c", "d"]})
    frame.to_parquet(tmp_path / "history.parquet")
    assert series(read_log(tmp_path / "history.parquet")) == {"train/lr": (STEPS, LRS)}
    with pytest.raises(ValueError, match=r"^trace=.* must be a Parquet file"):
        read_log(written(tmp_path, b"PAR1 and no more", "broken.parquet"))


def test_standard_input_and_pipes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path - is standard input; a named pipe is read like a file."""
    text = b"step,lr\n10,0.001\n20,0.0005\n"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    assert series(read_log(Path("-"))) == {"lr": ([10, 20], [0.001, 0.0005])}
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(text,))
    writer.start()
    assert series(read_log(tmp_path / "pipe")) == {"lr": ([10, 20], [0.001, 0.0005])}
    writer.join()


#: Files of runs that were killed while they wrote the row of step 50, and what is left of it.
KILLED = {
    "exponent": "step,lr\n10,0.001\n20,0.0005\n30,0.00025\n40,0.000125\n50,6.25e-",
    "mantissa": "step,lr\n10,0.001\n20,0.0005\n30,0.00025\n40,0.000125\n50,6.2",
    "cells": "step,loss,lr\n10,1,0.001\n20,1,0.0005\n30,1,0.00025\n40,1,0.000125\n50,1",
    "quote": 'step,lr\n10,"0.001"\n20,"0.0005"\n30,"0.00025"\n40,"0.000125"\n50,"6',
    "spaces": "step lr\n10 0.001\n20 0.0005\n30 0.00025\n40 0.000125\n50 6.25e-",
    "json_lines": "".join(f'{{"step": {step}, "lr": {lr}}}\n' for step, lr in ROWS) + '{"step": 50, "l',
    "printed": "".join(f"step {step} lr {lr}\n" for step, lr in ROWS) + "step 50 lr 6.2",
}


@pytest.mark.parametrize("name", KILLED)
def test_a_row_that_a_kill_left_unfinished_is_left_out(name: str, tmp_path: Path) -> None:
    """The rows before it are read, and a note says so; the same text as a whole line is no such row."""
    log = read_log(written(tmp_path, KILLED[name]))
    assert list(series(log).values()) == [(STEPS, LRS)]
    assert sum("is cut off, as in a killed run; it is left out." in note for note in log.notes) == 1


def test_a_short_number_is_cut_off_only_without_a_line_end(tmp_path: Path) -> None:
    """Floats in full before it, and no line end after it: only then is a short last number left out."""
    rows = [(step, 0.01 / (math.pi + step)) for step in range(8)]
    text = "step,lr\n" + "".join(f"{step},{lr!r}\n" for step, lr in rows)
    for last, kept in (("8,0.0001\n", 9), ("8,0.0001", 8), ("8,0.0", 8), (f"8,{0.01 / (math.pi + 8)!r}", 9)):
        assert read_log(written(tmp_path, text + last)).traces[0].lrs.size == kept


def test_a_half_gzip_file_is_read_up_to_the_cut(tmp_path: Path) -> None:
    """What can be unpacked is read, with a note."""
    text = "step,lr\n" + "".join(f"{step},{1 / (step + 1)!r}\n" for step in range(5000))
    log = read_log(written(tmp_path, gzip.compress(text.encode())[:-9000]))
    assert 1000 < log.traces[0].lrs.size < 5000
    assert "The compressed file is cut off" in log.notes[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run-.-tag-train_loss.csv", "Wall time,Step,Value\n1.7e9,0,0.25\n1.7e9,10,0.5\n"),
        ("train_loss", "1700000000000 0.25 0\n1700000000000 0.5 10\n"),
        ("log.csv", "step,metric,value\n10,loss,1.0\n20,loss,0.5\n20,acc,0.5\n"),
    ],
    ids=["tensorboard", "mlflow", "long"],
)
def test_a_loss_is_never_read_as_a_learning_rate(name: str, text: str, tmp_path: Path) -> None:
    """A value that a name calls a loss is refused, and can still be chosen."""
    with pytest.raises(ValueError, match=r"must .*learning rate.*--column"):
        read_log(written(tmp_path, text, name))


def test_a_metric_of_a_long_table_can_be_chosen(tmp_path: Path) -> None:
    """`--column` names a metric as well as a column; another name is refused with those that there are."""
    path = written(tmp_path, "step,name,value\n10,speed,1\n20,speed,2\n20,loss,7\n")
    assert series(read_log(path, column="speed")) == {"speed": ([10, 20], [1, 2])}
    with pytest.raises(ValueError, match=r"^column='x' must be one of speed, loss, the values of 'name'$"):
        read_log(path, column="x")


def test_tokens_become_steps(tmp_path: Path) -> None:
    """The user's number, or the one that fits the length of the run; without both, units of their common divisor."""
    path = written(tmp_path, "tokens_seen,lr\n" + "".join(f"{256 * step},{lr}\n" for step, lr in ROWS))
    assert series(read_log(path, units=Units(tokens_per_step=256))) == {"lr": (STEPS, LRS)}
    fitted = read_log(path, units=Units(total_steps=41))
    assert series(fitted) == {"lr": (STEPS, LRS)}
    assert "tokens_seen is read as 256 a step" in fitted.notes[0]
    assert series(read_log(path)) == {"lr": ([1, 2, 3, 4], LRS)}
    with pytest.raises(ValueError, match=r"^tokens_per_step=250 must divide every tokens_seen, such as 2560$"):
        read_log(path, units=Units(tokens_per_step=250))
    with pytest.raises(ValueError, match=r"^tokens_per_step=0 must be >= 1$"):
        Units(tokens_per_step=0)


def test_fractions_of_an_epoch_become_steps(tmp_path: Path) -> None:
    """Rounded epochs at even distances are steps at even distances; uneven ones need the length of an epoch."""
    path = written(tmp_path, "epoch,lr\n" + "".join(f"{step / 64:.2f},{lr}\n" for step, lr in ROWS))
    assert series(read_log(path, units=Units(steps_per_epoch=64))) == {"lr": (STEPS, LRS)}
    assert series(read_log(path)) == {"lr": ([0, 1, 2, 3], LRS)}
    uneven = written(tmp_path, "epoch,lr\n0.1,1\n0.2,1\n0.9,1\n")
    with pytest.raises(ValueError, match=r"^epoch=0\.9 in line 4 must .*--steps-per-epoch$"):
        read_log(uneven)
    whole = written(tmp_path, "epoch,lr\n0.5,1\n1.0,1\n1.5,1\n2.0,1\n")
    assert series(read_log(whole, units=Units(total_steps=40)))["lr"][0] == [10, 20, 30, 40]


def test_a_nan_is_a_finding_and_the_rest_is_diagnosed(tmp_path: Path) -> None:
    """A log that ends in NaN, or has an infinite LR, is not healthy; a NaN between numbers is noted."""
    healthy = "step,lr\n" + "".join(f"{step},0.001\n" for step in range(9))
    for rows, found in (
        ("9,nan\n10,nan\n", "lr is NaN from step 9 on (2 of 11 rows)"),
        ("9,inf\n10,1e-3\n", "infinite"),
    ):
        log = read_log(written(tmp_path, healthy + rows))
        assert found in log.findings[0]
        assert not examine(log).healthy
    between = read_log(written(tmp_path, healthy + "9,nan\n10,0.001\n"))
    assert between.findings == ()
    assert "lr is NaN in 1 of 11 rows, first at step 9" in between.notes[0]


@pytest.mark.parametrize("lrs", [[-0.1, -0.1, -0.1], [-0.1, -0.2, 0.0]], ids=["constant", "falling"])
def test_a_learning_rate_that_is_never_positive_is_a_fault(lrs: list[float], tmp_path: Path) -> None:
    """No schedule has such a base LR; the diagnosis says that it is negative."""
    text = "step,lr\n" + "".join(f"{step},{lr}\n" for step, lr in enumerate(lrs))
    (diagnosis,) = examine(read_log(written(tmp_path, text))).diagnoses
    assert diagnosis.verdict == "fault"
    assert "LR is negative" in diagnosis.sentence()
