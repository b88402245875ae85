"""Logs of learning rates as tools write them are read as traces; what cannot be read is refused in one line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.diagnose.log.read_log import fixed_decimals, read_log
from bench.diagnose.log.source import MOST_BYTES
from suite.cases.hypothesis_profiles import budget

#: The same two steps, as each tool writes them: file name, text, name of the column.
FORMATS = {
    "tensorboard": ("run.csv", "Wall time,Step,Value\n1.7e9,0,0.25\n1.7e9,10,0.5\n", "Value"),
    "wandb": (
        "wandb_export.csv",
        '"Step","lr1 - loss","a - lr","a - lr__MIN","a - lr__MAX"\n"0","9","0.25","0","1"\n"10","9","0.5","0","1"\n',
        "a - lr",
    ),
    "wandb_slash": (
        "w.csv",
        '"train/global_step","a - train/learning_rate"\n0,0.25\n10,0.5\n',
        "a - train/learning_rate",
    ),
    "lightning": (
        "metrics.csv",
        "epoch,lr-Adam,lr-Adam-momentum,step,train_loss\n,0.25,0.9,0,\n0,,,0,2.5\n,0.5,0.9,10,\n0,,,10,2.4\n",
        "lr-Adam",
    ),
    "named": ("log.csv", "step,lr\n0,0.25\n10,0.5\n", "lr"),
    "other_order": ("log.csv", "learningRate,loss,iteration\n0.25,3,0\n0.5,2,10\n", "learningRate"),
    "bare": ("log.csv", "0,0.25\n10,0.5", "lr"),
    "tabs": ("log.tsv", "step\tlr\n0\t0.25\n10\t0.5\n", "lr"),
    "spaces": ("log.txt", "# step lr\n0  0.25\n10 0.5\n\n", "lr"),
    "remarks": ("log.txt", "\n# run 3 of 7\n# lr step\n0.25 0\n0.5 10\n", "lr"),
    "remarks_only": ("log.txt", "# a run of mine\n0,0.25\n10,0.5\n", "lr"),
    "late_names": ("log.csv", "\n\nstep,lr\n0,0.25\n10,0.5\n", "lr"),
    "semicolons": ("log.csv", "step;lr\n0;0,25\n10;0,5\n", "lr"),
    "windows": ("log.csv", "\ufeffstep,lr\r\n0,0.25\r\n10,0.5\r\n", "lr"),
    "whole_floats": ("log.csv", "step,lr\n0.0,0.25\n10.0,5e-1\n", "lr"),
    "blank_lines": ("log.csv", "step,lr\n0,0.25\n\n10,0.5\n\n", "lr"),
    "records": ("log.json", '[{"step": 0, "lr": 0.25}, {"step": 5, "loss": 1}, {"step": 10, "lr": 0.5}]', "lr"),
    "lists": ("log.json", '{"step": [0, 10], "lr": [0.25, 0.5]}', "lr"),
    "json_lines": ("log.jsonl", '{"step": 0, "lr": 0.25}\n{"step": 10, "lr": 0.5}\n', "lr"),
}
#: Text that cannot be used, and the start and another part of the message.
BAD = {
    "missing_column": ("step,loss\n0,1\n", "columns=loss", "--column"),
    "empty": ("", "trace='", "is empty"),
    "blank": ("\n \n", "trace='", "is empty"),
    "only_names": ("step,lr\n", "column='lr'", "has 0"),
    "one_row": ("step,lr\n0,1\n", "column='lr'", "has 1"),
    "word": ("step,lr\n0,0.1\n1,abc\n", "lr='abc'", "in line 3 must be a number"),
    "word_after_blank": ("step,lr\n0,0.1\n\n1,abc\n", "lr='abc'", "in line 4"),
    "word_after_remark": ("\n# mine\nstep,lr\n0,0.1\n1,abc\n", "lr='abc'", "in line 5"),
    "nothing_but_a_remark": ("# mine\n", "columns=mine", "--column"),
    "truth": ("step,lr\n0,True\n1,False\n", "lr='True'", "in line 2"),
    "nothing_but_nan": ("step,lr\n0,NaN\n1,NaN\n", "lr=nan", "must be finite"),
    "infinite_step": ("step,lr\n0,0.1\n-inf,0.1\n2,1\n", "step=-inf", "in line 3 must be finite"),
    "decreasing": ("step,lr\n0,1\n5,1\n3,1\n", "step=3", "in line 4 must be >= 5"),
    "fraction": ("step,lr\n0,1\n0.5,1\n", "step=0.5", "integer"),
    "negative": ("step,lr\n-1,1\n0,1\n", "step=-1", ">= 0"),
    "no_step": ("step,lr\n0,1\n,1\n", "step=''", "in line 3"),
    "wide_row": ("step,lr\n0,1\n1,0,5\n", "trace='", "line 3, saw 3"),
    "all_rows_wide": ("step,lr\n0,0,1\n1,0,5\n", "trace='", "same number of cells"),
    "open_quote": ('step,lr\n0,"1\n1,2\n', "trace='", "same number of cells"),
    "twice": ("step,lr,lr\n0,1,1\n", "column='lr'", "once"),
    "nameless": ("0,1,2\n1,2,3\n", "columns=3", "step and lr"),
    "no_json": ('{"step": [0', "trace='", "JSON"),
    "unequal": ('{"step": [0, 1], "lr": [1]}', "trace='", "equal"),
    "json_word": ('[{"step": 0, "lr": "x"}]', "lr='x'", "entry 0"),
    "json_truth": ('[{"step": 0, "lr": true}]', "lr='True'", "entry 0"),
    "json_nan": ('[{"step": 0, "lr": 1}, {"step": NaN, "lr": 1}]', "step=nan", "entry 1"),
    "json_other": ('{"lr": 3}', "trace='", "log_history"),
    "no_history": ('{"log_history": []}', "trace='", "log_history"),
    "deep": ("[" * 100_000, "trace='", "less deeply"),
}


def written(folder: Path, text: str | bytes, name: str = "log.csv") -> Path:
    """A file with a text."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_trace(name: str, tmp_path: Path) -> None:
    """Each tool's file holds LR 0.25 at step 0 and 0.5 at step 10, under the name that the tool gives it."""
    file, text, column = FORMATS[name]
    (trace,) = read_log(written(tmp_path, text, file)).traces
    assert (trace.name, trace.steps.tolist(), trace.lrs.tolist()) == (column, [0, 10], [0.25, 0.5])


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    """What is wrong comes first as name=value, then the rule."""
    text, start, part = BAD[name]
    with pytest.raises(ValueError, match="=") as caught:
        read_log(written(tmp_path, text))
    line = str(caught.value)
    assert line.startswith(start)
    assert part in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "zero bytes"),
        (b"step,lr\n0,\xff\xfe\n", "UTF-8"),
        ("step,lr\n".encode("utf-16-le"), "zero bytes"),
    ],
    ids=["picture", "latin", "utf16_unmarked"],
)
def test_files_that_are_not_text_are_refused(data: bytes, part: str, tmp_path: Path) -> None:
    """Binary data and other encodings are named as such."""
    with pytest.raises(ValueError, match=part):
        read_log(written(tmp_path, data))


def test_bytes_of_another_encoding_far_into_a_file_are_refused(tmp_path: Path) -> None:
    """The start of a file may be text, but not the rest."""
    rows = "".join(f"{i},1.0\n" for i in range(20_000))
    with pytest.raises(ValueError, match=r"^trace=.*UTF-8"):
        read_log(written(tmp_path, b"step,lr\n" + rows.encode() + b"\xff\xff,1\n"))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """A file of 10 GB, nearly all of it a hole, is refused by its size; one just within the limit is not."""
    path = tmp_path / "huge.csv"
    for size, rule in ((10_000_000_000, r"must have at most 0\.5 GB, not 10\.0 GB"), (MOST_BYTES, "zero bytes")):
        with path.open("wb") as file:
            file.write(b"step,lr\n")
            file.truncate(size)
        with pytest.raises(ValueError, match=rule):
            read_log(path)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    """A folder, a device, a missing file and an unknown column each have a message."""
    for path, rule in ((tmp_path, "folder"), (tmp_path / "none.csv", "existing file"), (Path("/dev/null"), "device")):
        with pytest.raises(ValueError, match=f"^trace=.*{rule}"):
            read_log(path)
    with pytest.raises(ValueError, match=r"^column='x' must be one of lr$"):
        read_log(written(tmp_path, "step,lr\n0,1\n1,2\n"), column="x")


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message of the system follows the name of the file."""

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, "step,lr\n0,1\n1,2\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ValueError, match=r"^trace=.*log\.csv' must be readable: Permission denied$"):
        read_log(path)


def test_each_group_is_a_trace(tmp_path: Path) -> None:
    """Every column of a learning rate is read, those that were never filled are left out, and one can be asked for."""
    text = "step,lr-Adam/pg1,lr-Adam/pg2,lr-SGD\n0,0.1,1,\n1,0.2,,\n2,0.3,3,\n"
    path = written(tmp_path, text)
    lrs = {trace.name: trace.lrs.tolist() for trace in read_log(path).traces}
    assert lrs == {"lr-Adam/pg1": [0.1, 0.2, 0.3], "lr-Adam/pg2": [1.0, 3.0]}
    assert [trace.name for trace in read_log(path, column="lr-Adam/pg2").traces] == ["lr-Adam/pg2"]


def test_rows_of_several_owners_are_separated(tmp_path: Path) -> None:
    """A recorder writes the rows of all optimizers and groups into one file; each is a trace."""
    text = "step,optimizer,group,lr\n0,Adam,0,1\n0,Adam,1,2\n0,SGD,0,3\n1,Adam,0,4\n2,Adam,0,5\n1,Adam,1,6\n1,SGD,0,7\n"
    lrs = {trace.name: trace.lrs.tolist() for trace in read_log(written(tmp_path, text)).traces}
    assert lrs == {"lr of Adam group 0": [1, 4, 5], "lr of Adam group 1": [2, 6], "lr of SGD group 0": [3, 7]}
    single = read_log(written(tmp_path, "step,optimizer,group,lr\n0,Adam,0,1\n1,Adam,0,2\n")).traces
    assert [trace.name for trace in single] == ["lr"]


def test_rows_without_steps_are_numbered(tmp_path: Path) -> None:
    """A bare list of LRs starts at step 0; an epoch replaces a missing step; a note says so if there was a choice."""
    assert read_log(written(tmp_path, "0.1\n0.2\n0.3\n")).traces[0].steps.tolist() == [0, 1, 2]
    assert read_log(written(tmp_path, "[0.1, 0.2]", "log.json")).traces[0].steps.tolist() == [0, 1]
    numbered = read_log(written(tmp_path, "loss,lr\n3,0.1\n2,0.2\n"))
    by_epoch = read_log(written(tmp_path, "epoch,lr\n3,0.1\n4,0.2\n"))
    assert (numbered.traces[0].steps.tolist(), by_epoch.traces[0].steps.tolist()) == ([0, 1], [3, 4])
    assert "numbered" in numbered.notes[0]
    assert "epoch" in by_epoch.notes[0]


def test_a_repeated_step_keeps_its_last_value(tmp_path: Path) -> None:
    """An equal value is dropped silently; a different one is kept, because the run continued from it, with a note."""
    same = read_log(written(tmp_path, "step,lr\n0,1\n1,2\n1,2\n2,3\n"))
    other = read_log(written(tmp_path, "step,lr\n0,1\n1,2\n1,5\n2,6\n"))
    assert (same.traces[0].lrs.tolist(), same.notes) == ([1, 2, 3], ())
    assert other.traces[0].lrs.tolist() == [1, 5, 6]
    assert "step 1 is logged with 2, then with 5 (1 such row)" in other.notes[0]


def test_a_resumed_run_keeps_what_came_after(tmp_path: Path) -> None:
    """Rows that a resumed run logs again replace the earlier ones, and only if requested."""
    path = written(tmp_path, "step,lr\n0,1\n1,2\n2,3\n3,4\n2,7\n3,8\n4,9\n")
    log = read_log(path, resumed=True)
    assert (log.traces[0].steps.tolist(), log.traces[0].lrs.tolist()) == ([0, 1, 2, 3, 4], [1, 2, 7, 8, 9])
    assert "2 rows logged before a resume" in log.notes[0]
    with pytest.raises(ValueError, match="--resumed"):
        read_log(path)


def state(lrs: list[float], every: int = 1, last: int | None = None) -> str:
    """A Trainer's state that logged these LRs every few updates."""
    history = [{"epoch": 0.1, "learning_rate": lr, "step": every * (i + 1)} for i, lr in enumerate(lrs)]
    history.append({"epoch": 1.0, "step": every * len(lrs), "train_runtime": 3.5})
    return json.dumps({"global_step": every * len(lrs), "log_history": history, "max_steps": last or every * len(lrs)})


def test_a_trainers_steps_count_finished_updates(tmp_path: Path) -> None:
    """Step n is update n counted from 1, but for releases up to 4.50 that end on the LR of an update never done."""
    log = read_log(written(tmp_path, state([0.1, 0.2, 0.3], 10), "trainer_state.json"))
    assert (log.traces[0].steps.tolist(), log.first_step, log.other_first_step) == ([9, 19, 29], 1, 0)
    log = read_log(written(tmp_path, state([0.2, 0.1, 0.0]), "trainer_state.json"))
    assert (log.traces[0].steps.tolist(), log.first_step, log.other_first_step) == ([1, 2, 3], 0, 1)
    log = read_log(written(tmp_path, state([0.2, 0.1, 0.0], last=9), "trainer_state.json"))
    assert log.traces[0].steps.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("steps", "other"), [([1, 2, 3], 1), ([10, 20, 30], 1), ([5, 15, 25], None), ([0, 1, 2], None)], ids=str
)
def test_a_log_that_may_count_from_1_is_known(steps: list[int], other: int | None, tmp_path: Path) -> None:
    """Steps that start at their own distance do not tell which update is the first."""
    text = "".join(f"{step},0.{step}\n" for step in steps)
    log = read_log(written(tmp_path, text))
    assert (log.first_step, log.other_first_step, log.traces[0].steps.tolist()) == (0, other, steps)


def test_the_first_step_can_be_given(tmp_path: Path) -> None:
    """The given number becomes step 0; a log that starts before it is refused."""
    path = written(tmp_path, "1,0.1\n2,0.2\n")
    log = read_log(path, first_step=1)
    assert (log.traces[0].steps.tolist(), log.other_first_step) == ([0, 1], None)
    with pytest.raises(ValueError, match=r"^first_step=2 must be <= 1"):
        read_log(path, first_step=2)
    with pytest.raises(ValueError, match=r"^first_step=-1 must be >= 0"):
        read_log(path, first_step=-1)


@budget(100)
@given(
    lrs=st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=2, max_size=20),
    gaps=st.lists(st.integers(1, 1000), min_size=20, max_size=20),
    separator=st.sampled_from([",", ";", "\t", " "]),
    headed=st.booleans(),
)
def test_every_float_is_read_exactly(
    lrs: list[float], gaps: list[int], separator: str, headed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Steps and LRs come back bit for bit, whatever separates them, with and without names."""
    steps = np.cumsum(gaps)[: len(lrs)] - 1
    rows = [f"step{separator}lr"] * headed + [f"{step}{separator}{lr!r}" for step, lr in zip(steps, lrs, strict=True)]
    (trace,) = read_log(written(tmp_path_factory.mktemp("log"), "\n".join([*rows, ""])), first_step=0).traces
    assert trace.steps.tolist() == steps.tolist()
    assert trace.lrs.tolist() == lrs


@pytest.mark.parametrize("places", [4, 5, 6, 7])
def test_a_fixed_number_of_places_is_recognised(places: int) -> None:
    """Values printed with %.6f are distinguished from values printed with %.4g and from exact ones."""
    lrs = 3e-2 * np.array([math.exp(-t / 30) for t in range(150)])
    assert fixed_decimals(np.array([float(f"{lr:.{places}f}") for lr in lrs])) == places
    assert fixed_decimals(np.array([float(f"{lr:.{places}g}") for lr in lrs])) is None
    assert fixed_decimals(lrs) is None
