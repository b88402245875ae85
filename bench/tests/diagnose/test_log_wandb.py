"""The file in which Weights & Biases keeps a run is read without its SDK."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.diagnose.log.read_log import read_log

from .test_log_events import field

BLOCK = 32768


def history(**values: float | str) -> bytes:
    """A record with one step of a history; a name with dots is a nested one."""
    items = []
    for name, value in values.items():
        parts = name.split("__")
        key = field(1, name.encode()) if len(parts) == 1 else b"".join(field(2, part.encode()) for part in parts)
        items.append(field(1, key + field(16, json.dumps(value).encode())))
    return field(1, 7) + field(2, b"".join(items))


def framed(records: list[bytes]) -> bytes:
    """The file: a header, then records cut where a block of 32 KiB ends."""
    data = bytearray(b":W&B\xe1\xbe\x00")
    for record in records:
        rest, first = record, True
        while first or rest:
            room = BLOCK - len(data) % BLOCK
            if room < 7:
                data += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            data += b"\0\0\0\0" + len(part).to_bytes(2, "little") + bytes([kind]) + part
            first = False
    return bytes(data)


def wandb_file(lrs: list[float]) -> bytes:
    """A run that logged these LRs, and a summary that names one too."""
    rows = [history(lr=lr, loss=2.0, _step=i) for i, lr in enumerate(lrs)]
    return framed([*rows, field(1, 8) + field(3, field(1, field(1, b"lr") + field(16, b"9")))])


def test_a_history_over_many_blocks_is_read(tmp_path: Path) -> None:
    """Records of every size, some split over blocks and some at the end of one, come back in order."""
    lrs = [1 / (i + 1) for i in range(3000)]
    rows = [history(lr=lr, optim__lr=lr / 2, note="x" * (37 * i % 500), _step=i) for i, lr in enumerate(lrs)]
    rows.insert(5, history(note="lr " + "y" * 3 * BLOCK, _step=5))
    path = tmp_path / "run-ab.wandb"
    path.write_bytes(framed(rows))
    log = read_log(path)
    assert {trace.name: trace.lrs.tolist() for trace in log.traces} == {"lr": lrs, "optim/lr": [lr / 2 for lr in lrs]}
    assert log.traces[0].steps.tolist() == list(range(3000))
    assert log.notes == ()


@pytest.mark.parametrize("left", range(10))
def test_the_end_of_a_block_may_have_no_room_for_a_header(left: int, tmp_path: Path) -> None:
    """Fewer than 7 bytes at the end of a block are empty, and the next record starts in the next one."""
    padded = field(1, b"x" * (BLOCK - left - len(framed([field(1, b"x" * 30_000)])) + 30_000))
    data = framed([padded, *(history(lr=lr, _step=i) for i, lr in enumerate((0.5, 0.25)))])
    assert len(framed([padded])) == BLOCK - left
    (tmp_path / "run-ab.wandb").write_bytes(data)
    assert read_log(tmp_path / "run-ab.wandb").traces[0].lrs.tolist() == [0.5, 0.25]


def test_a_killed_run_is_read_up_to_its_last_whole_record(tmp_path: Path) -> None:
    """An unfinished record is left out, with a note; a NaN is a value."""
    lrs: list[float | str] = [0.5, 0.25, "NaN"]
    whole = framed([history(lr=lr, _step=i) for i, lr in enumerate(lrs)])
    path = tmp_path / "run-ab.wandb"
    path.write_bytes(whole + framed([history(lr=0.5, _step=3)])[7:-3])
    log = read_log(path)
    assert (log.traces[0].lrs.tolist(), "lr is NaN from step 2" in log.findings[0]) == ([0.5, 0.25], True)
    assert "unfinished record" in log.notes[0]


def test_a_run_without_a_learning_rate_is_refused(tmp_path: Path) -> None:
    """One line, as for a table without one."""
    path = tmp_path / "run-ab.wandb"
    path.write_bytes(framed([history(loss=2.0, _step=0)]))
    with pytest.raises(ValueError, match=r"^columns=none must include a learning rate"):
        read_log(path)
