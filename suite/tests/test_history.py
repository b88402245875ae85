"""`bisect`: the release that introduced and the one that repaired a behaviour, on made-up and on real releases."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from suite.__main__ import main
from suite.across_releases.history import Stretch, stretches
from suite.cases.catalogue import find
from suite.known.deviations import table
from suite.releases import cache
from suite.releases.cache import numbers
from suite.releases.groups import chosen_groups
from suite.tests import stock

pytestmark = pytest.mark.slow  # runs real releases

#: First and last releases of the behaviours below, and the newest that was known when this was written.
NEEDED = (
    *("1.11.0", "1.12.1", "1.13.0", "2.0.0", "2.1.2", "2.2.0", "2.3.1", "2.4.0", "2.5.1", "2.6.0", "2.7.1", "2.8.0"),
    *("2.9.0", "2.9.1", "2.10.0", "2.12.1", "2.13.0", "2.15.0"),
)
PLATEAU = "reducelronplateau1p0x0p8x0p81x0p8x0p7999x0p5x0p51x0p52x0p53x0p54x0p4x0p45x0p46x0p47x0p48x0p2x0p3"

#: Case → its stretches: the first release of each, what it shows ("ok" = right) and, where it matters, the LRs at
#: the first steps as shares of the base LR, computed by hand from the case's arguments.
#: The releases are those of the upstream threads and of hand-made experiments, not of the atlas.
HISTORIES: dict[str, list[tuple[str, str, list[float] | None]]] = {
    # SequentialLR's first LR: the children's construction is undone since 1.13.
    "seq2_m6.linearlr6_s0p13.lambdalr.exponentiallr0p83": [
        ("1.11.0", "differs", [1.0, 1 + 0.87 / 6 / 0.13, 1 + 2 * 0.87 / 6 / 0.13]),
        ("1.13.0", "warns", None),
        ("2.9.0", "ok", None),
    ],
    "seq2_m0.linearlr4_s0p13.exponentiallr0p89": [
        ("1.11.0", "scaled", [0.13, 0.13 * 0.89]),
        ("1.13.0", "differs", [0.13, 0.13, 0.13 * 0.89]),
        ("2.8.0", "scaled", [0.13, 0.13 * 0.89]),
        ("2.13.0", "ok", None),
    ],
    "seq2_m6.linearlr_s0p13_e0p97.multiplicativelr.linearlr7_s0p71_e0p93": [
        ("1.11.0", "scaled", [0.13, 0.298, 0.466, 0.634, 0.802, 0.97, 0.97]),
        ("2.8.0", "scaled", [0.13, 0.298, 0.466, 0.634, 0.802, 0.97, 0.97 * 0.71]),
    ],
    "seq2_m6.exponentiallr0p89.multiplicativelr.linearlr7_s0p71_e0p93": [
        ("1.11.0", "scaled", [0.89**t for t in (0, 1, 2, 3, 4, 5, 5)]),
        ("2.8.0", "scaled", [*(0.89**t for t in range(6)), 0.89**5 * 0.71]),
    ],
    "seq2_m6.linearlr6_s0p13.onecyclelr0p23_n40": [
        ("1.11.0", "differs", [0.23 / 25 / 0.3]),
        ("1.13.0", "differs", [0.13 * 0.23 / 25 / 0.3]),
    ],
    "seq2_m4p5.linearlr4_s0p13.constantlr9_f0p61": [("1.11.0", "accepted", None)],
    "seq3_m9x4.linearlr4_s0p13.constantlr9_f0p61.cosineannealinglr11": [("1.11.0", "accepted", None)],
    # The nested warmup: 1/start_factor too high until 2.5, one step skipped since 2.6.
    "seq2_m9.seq2_m6.linearlr6_s0p13.constantlr3_f1p0.cosineannealinglr11": [
        ("1.11.0", "warns", None),
        ("1.13.0", "differs", [(0.13 + 0.87 * (t + 1) / 6) / 0.13 for t in range(6)]),
        ("2.6.0", "differs", [*(0.13 + 0.87 * t / 6 for t in range(5)), 1.0]),
    ],
    "seq2_m6.steplr3_g0p7.seq2_m2.constantlr2_f0p37.exponentiallr0p89": [
        ("1.11.0", "scaled", [0.37]),
        ("1.13.0", "TypeError", None),
        ("2.9.0", "NotImplementedError", None),
    ],
    "seq2_m6.steplr3_g0p7.chain2.linearlr_s0p13_e0p97.steplr3_g0p7": [
        ("1.11.0", "scaled", [0.13]),
        ("1.13.0", "AttributeError", None),
        ("2.6.0", "TypeError", None),
        ("2.9.0", "NotImplementedError", None),
    ],
    "seq2_m7.chain2.linearlr3_s0p13.exponentiallr0p89.exponentiallr0p89": [
        ("1.11.0", "warns", None),
        ("1.13.0", "AttributeError", None),
        ("2.6.0", "warns", None),
        ("2.8.0", "differs", [0.89 * 0.13, 0.89**2 * 0.42]),
    ],
    "chain2.seq2_m6.linearlr6_s0p13.constantlr3_f1p0.exponentiallr0p89": [
        ("1.11.0", "scaled", [*(0.89**t * (0.13 + 0.87 * t / 6) for t in range(6)), 0.89]),
    ],
    "chain2.linearlr_s0p13_e0p97.lambdalr.exponentiallr0p83": [("1.11.0", "ok", None)],
    "chain2.linearlr_s0p13_e0p97.warmrestarts3_x2_m0p001": [("1.11.0", "ok", None)],
    "linearlr0_s0p01": [("1.11.0", "scaled", [0.01] * 9)],
    "constantlr0_f0p3": [("1.11.0", "scaled", [0.3] * 9)],
    "constantlr3_f0p0": [("1.11.0", "ZeroDivisionError", None)],
    "cosineannealinglr7": [("1.11.0", "ok", None)],
    "cosineannealinglr7-lastepoch_at3": [("1.11.0", "differs", None), ("1.12.0", "ok", None)],
    "seq2_m6.linearlr6_s0p13.cosineannealinglr11-optimizerfirst_at3": [
        ("1.11.0", "differs", None),
        # Every LR of the warmup is scaled by its start factor once more.
        ("1.13.0", "differs", [0.13, 0.275, 0.42, 0.13, 0.13 * 0.71 / 0.565, 0.13 * 0.855 / 0.565]),
    ],
    "seq2_m6.linearlr6_s0p13.cosineannealinglr11-builtfirst_at3": [("1.11.0", "warns", None), ("2.9.0", "ok", None)],
    "seq2_m6.linearlr6_s0p13.cosineannealinglr11-3groups-tensor": [
        ("1.11.0", "warns", None),
        ("2.4.0", "scaled", None),
        ("2.10.0", "ok", None),
    ],
    f"seq2_m6.linearlr_s0p13_e0p97.{PLATEAU}": [
        ("1.11.0", "AttributeError", None),
        ("2.2.0", "TypeError", None),
        ("2.4.0", "ok", None),
    ],
    f"chain2.linearlr_s0p13_e0p97.{PLATEAU}": [("1.11.0", "TypeError", None), ("2.4.0", "ok", None)],
    "linearlr_s0p0": [("1.11.0", "ZeroDivisionError", None), ("2.0.0", "ok", None)],
}


def shown(stretch: Stretch) -> str:
    """One word for what a stretch shows: the class of the error where there is one."""
    verdict = stretch.verdict
    return "ok" if verdict.follows else verdict.detail.split()[0] if verdict.shape == "error" else verdict.shape


@pytest.fixture(scope="module")
def groups() -> list[tuple[str, ...]]:
    """The real releases of the user's cache, in groups of equal code."""
    missing = [release for release in NEEDED if release not in cache.cached()]
    if missing:
        pytest.skip(f"releases {' '.join(missing)} are not cached: python -m suite fetch")
    return chosen_groups(True)[0]


@pytest.mark.parametrize("case", HISTORIES)
def test_history_of_torch(groups: list[tuple[str, ...]], case: str) -> None:
    """The behaviours of a composition start in the releases known from other sources."""
    history = stretches(find(case), groups)
    expected = HISTORIES[case]
    assert [(stretch.first, shown(stretch)) for stretch in history] == [row[:2] for row in expected]
    for stretch, (_, _, rates) in zip(history, expected, strict=True):
        if rates is not None:
            shares = [rate / 0.3 for rate in stretch.verdict.actual[: len(rates)]]
            assert shares == pytest.approx(rates, rel=1e-12)


def test_stretches_join_without_a_gap(groups: list[tuple[str, ...]]) -> None:
    """Each stretch starts with the release after the last of the one before, and all together are all releases."""
    releases = sorted((release for group in groups for release in group), key=numbers)
    history = stretches(find("seq2_m0.linearlr4_s0p13.exponentiallr0p89"), groups)
    assert (history[0].first, history[-1].last) == (releases[0], releases[-1])
    for before, after in itertools.pairwise(history):
        assert releases.index(after.first) == releases.index(before.last) + 1


def test_the_command_names_introduction_and_repair(
    groups: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    """milestones=[0] is right since 2.13: in words, as a table and as JSON, with the entry that explains it."""
    case = "seq2_m0.linearlr4_s0p13.exponentiallr0p89"
    assert main(["bisect", case, "--offline"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == ["changed in 1.13.0", "changed in 2.8.0", "right since 2.13.0"]
    assert any(line.strip().startswith("1.13.0 – 2.7.1 ") for line in lines)
    assert main(["bisect", case, "--offline", "--json"]) == 0
    history = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [row["entry"] for row in history] == ["milestone-zero"] * 3 + [""]
    assert [row["verdict"]["kind"] for row in history] == ["deviates"] * 3 + ["follows"]


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four releases: the second and the third are broken, and the first and the last have the same code."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    for release, planted in (("9.0.0", ""), ("9.1.0", stock.WRONG_EXPONENTIAL), ("9.10.0", "")):
        stock.put(release, planted)
    stock.put("9.2.0", stock.WRONG_EXPONENTIAL + "# a comment is no other code\n")


def test_a_made_up_history(made_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault is introduced and repaired, and comes back in a release that shares the code of an older one."""
    assert main(["bisect", "exponentiallr0p89", "--offline"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["introduced in 9.1.0 (scaled)", "right since 9.10.0"]
    stock.put("9.11.0", stock.WRONG_EXPONENTIAL)
    assert main(["bisect", "exponentiallr0p89", "--offline"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "introduced in 9.11.0 (scaled)"


def test_another_error_is_another_behaviour(made_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The class of an error belongs to the behaviour, its wording does not."""
    fault = "def _step(self, epoch=None):\n    raise {}\nExponentialLR.step = _step\n"
    for release, error in (("9.3.0", "TypeError('a')"), ("9.4.0", "TypeError('b')"), ("9.5.0", "KeyError('a')")):
        stock.put(release, fault.format(error))
    assert main(["bisect", "exponentiallr0p89", "--offline", "--json"]) == 0
    history = json.loads(capsys.readouterr().out)
    assert [row["first"] for row in history] == ["9.0.0", "9.1.0", "9.3.0", "9.5.0", "9.10.0"]


def test_infinite_sizes_are_null_in_json(made_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has neither NaN nor infinity: they are null."""
    stock.put("9.12.0", "ExponentialLR.get_lr = lambda self: [float('nan') for lr in self.base_lrs]\n")
    assert main(["bisect", "exponentiallr0p89", "--offline", "--json"]) == 1
    last = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)[-1]["verdict"]
    assert (last["size"], last["actual"][0]) == (None, None)


@pytest.mark.parametrize(
    ("case", "line"),
    [("exponentiallr0x8", "unknown case 'exponentiallr0x8' ("), ("", "unknown case '' (")],
)
def test_an_unknown_case_is_one_line(made_up: None, capsys: pytest.CaptureFixture[str], case: str, line: str) -> None:
    """Exit code 2, and the nearest ids where there are any."""
    assert main(["bisect", case, "--offline"]) == 2
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n"), output.err.startswith(line)) == ("", 1, True)


def test_an_empty_cache_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Offline without any release: exit code 2."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    assert main(["bisect", "linearlr", "--offline"]) == 2
    assert capsys.readouterr().err.startswith("releases=[] must not be empty")


def test_every_history_has_its_entries(groups: list[tuple[str, ...]]) -> None:
    """An entry of suite/known/entries explains each deviating behaviour in its first and in its last release."""
    for case in HISTORIES:
        for stretch in stretches(find(case), groups):
            if stretch.verdict.kind == "deviates":
                entry = table()[stretch.entry]
                assert entry.covers(stretch.first)
