"""TensorBoard's event files are read without TensorBoard."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.diagnose.log.read_log import read_log, read_logs
from suite.cases.hypothesis_profiles import budget


def varint(number: int) -> bytes:
    """A number in base 128, the lowest digit first."""
    digits = []
    while True:
        number, digit = divmod(number, 128)
        digits.append(digit + (128 if number else 0))
        if not number:
            return bytes(digits)


def field(number: int, content: bytes | int) -> bytes:
    """A field of a message: bytes with their length, or a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def record(event: bytes) -> bytes:
    """A record; the checksums are not looked at."""
    return struct.pack("<Q", len(event)) + b"\0\0\0\0" + event + b"\0\0\0\0"


def scalar(tag: str, step: int, value: float, form: str = "simple") -> bytes:
    """A record with one scalar, as torch writes it (`simple`) or as TensorFlow 2 does (a tensor)."""
    packed = struct.pack("<f", value)
    number = {
        "simple": b"\x15" + packed,
        "content": field(8, field(1, 1) + field(2, b"") + field(4, packed)),
        "floats": field(8, field(1, 1) + field(2, b"") + field(5, packed)),
        "double": field(8, field(1, 2) + field(4, struct.pack("<d", value))),
    }[form]
    wall = b"\x09" + struct.pack("<d", 1.7e9)
    return record(wall + field(2, step) + field(5, field(1, field(1, tag.encode()) + number)))


HEADER = record(b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2"))


def written(folder: Path, *records: bytes, name: str = "events.out.tfevents.1.host") -> Path:
    """An event file with these records."""
    path = folder / name
    path.write_bytes(b"".join([HEADER, *records]))
    return path


@pytest.mark.parametrize("form", ["simple", "content", "floats", "double"])
def test_learning_rates_are_found_among_other_tags(form: str, tmp_path: Path) -> None:
    """Every way to write a scalar gives its value; the loss beside it is left out."""
    rows = [scalar(tag, i, v, form) for i in (0, 10, 20) for tag, v in (("train/loss", 9.0), ("train/lr", 0.5**i))]
    (trace,) = read_log(written(tmp_path, *rows)).traces
    assert (trace.name, trace.steps.tolist(), trace.lrs.tolist()) == ("train/lr", [0, 10, 20], [1.0, 0.5**10, 0.5**20])


@budget(50)
@given(
    lrs=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=20),
    gaps=st.lists(st.integers(1, 2**40), min_size=20, max_size=20),
)
def test_every_value_is_read_exactly(
    lrs: list[float], gaps: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Steps of any size and every float32 come back bit for bit."""
    steps = (np.cumsum(gaps)[: len(lrs)] - 1).tolist()
    rows = [scalar("lr", step, lr) for step, lr in zip(steps, lrs, strict=True)]
    (trace,) = read_log(written(tmp_path_factory.mktemp("log"), *rows), first_step=0).traces
    assert (trace.steps.tolist(), trace.lrs.tolist()) == (steps, lrs)


def test_a_record_that_a_kill_left_unfinished_ends_the_file(tmp_path: Path) -> None:
    """At every byte of the last record, the records before it are read, with a note."""
    rows = [scalar("lr", i, 0.5**i) for i in range(4)]
    for cut in range(1, len(rows[-1])):
        log = read_log(written(tmp_path, *rows[:-1], rows[-1][:cut]))
        assert log.traces[0].steps.tolist() == [0, 1, 2]
        assert "unfinished record" in log.notes[0]
    assert read_log(written(tmp_path, *rows)).notes == ()


def test_a_resumed_run_continues_in_another_file(tmp_path: Path) -> None:
    """Steps that a later file logs again replace those of the earlier one."""
    first = written(tmp_path, *(scalar("lr", i, 0.5) for i in range(4)), name="events.out.tfevents.1.host")
    second = written(tmp_path, *(scalar("lr", i, 0.25) for i in range(2, 6)), name="events.out.tfevents.2.host")
    (trace,) = read_logs([first, second]).traces
    assert (trace.steps.tolist(), trace.lrs.tolist()) == ([0, 1, 2, 3, 4, 5], [0.5, 0.5, 0.25, 0.25, 0.25, 0.25])


def test_nan_is_seen_and_other_tags_can_be_chosen(tmp_path: Path) -> None:
    """A NaN is a logged value; a tag of another name is read on request, and refused without one."""
    nan = read_log(written(tmp_path, scalar("lr", 0, 1.0), scalar("lr", 1, 1.0), scalar("lr", 2, float("nan"))))
    assert "lr is NaN from step 2 on" in nan.findings[0]
    path = written(tmp_path, scalar("speed", 0, 1.0), scalar("speed", 5, 2.0))
    assert read_log(path, column="speed").traces[0].lrs.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"^columns=speed must include a learning rate"):
        read_log(path)


@budget(100)
@given(data=st.binary(max_size=200))
def test_damaged_records_raise_one_line_at_most(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever the bytes of a record are, it is skipped or refused by a ValueError."""
    path = written(tmp_path_factory.mktemp("log"), record(b"lr" + data), record(data))
    with pytest.raises(ValueError, match="="):
        read_log(path)
