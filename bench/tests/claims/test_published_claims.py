"""Every published claim follows from its published runs: text and table are recomputed here, without training."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from bench.claims import alarm_advice, alarm_quality
from bench.claims.core.page import page
from bench.claims.core.publish import table_csv, text
from bench.claims.core.replication import REPLICATED, verdicts
from bench.claims.core.runs import PUBLISHED, part_of, read_runs, runs_file, seeds_of
from bench.commands.alarms import RESULTS as ALARM_RESULTS
from bench.commands.claim import CLAIMS, PAPERS, RESULTS
from suite.tests.house.tree import ROOT

pytest.importorskip("pandas")

#: Measured before runs were published: their pages are checked again when they are next measured.
WITHOUT_RUNS = {"cost", "noam"}
ALARMS = {"alarms": alarm_quality, "recommendation": alarm_advice}
#: Every other grid has a replication on these seeds.
FRESH = tuple(range(1000, 1010))
#: Papers whose predictions are written and whose arms have not been trained.
NOT_MEASURED = {"kosson", "ma", "gilmer", "wortsman", "liu", "yang"}
WITH_RUNS = [name for name in (*CLAIMS, *PAPERS) if name not in WITHOUT_RUNS | NOT_MEASURED]


def module_of(name: str) -> Any:
    """The module of a claim or of a paper."""
    return importlib.import_module(f"bench.claims.{'replications.' if name in PAPERS else ''}{name}")


def file_of(name: str) -> Path:
    """The published runs of a claim, or those that a paper's page is computed from."""
    owner = module_of(name).PAPER.runs_from if name in PAPERS else ""
    return runs_file(owner or name, RESULTS)


def made(name: str):  # type: ignore[no-untyped-def]
    """A claim, its replication, and the lines that compare them, from the published runs."""
    module = module_of(name)
    return page(module.claim, read_runs(file_of(name), module.COLUMNS))


@pytest.mark.parametrize("name", WITH_RUNS)
def test_text_and_table_follow_from_the_runs(name: str) -> None:
    """Every number of the page is recomputed from the runs: the whole text and the whole table are equal."""
    claim, _, more = made(name)
    assert (RESULTS / f"{name}.md").read_text(encoding="utf-8") == text(claim, more)
    assert (RESULTS / f"{name}.csv").read_text(encoding="utf-8") == table_csv(claim)


@pytest.mark.parametrize("name", WITH_RUNS)
def test_a_changed_loss_changes_the_page(name: str) -> None:
    """The comparison can fail: other losses give another text."""
    module = module_of(name)
    runs = read_runs(file_of(name), module.COLUMNS)
    if "loss" not in runs:
        pytest.skip("this claim is about times")
    runs["loss"] *= 1.05
    claim, _, more = page(module.claim, runs)
    assert (RESULTS / f"{name}.md").read_text(encoding="utf-8") != text(claim, more)


def test_claims_are_replicated_or_say_so() -> None:
    """A page with a replication on fresh seeds has each verdict; no published seed is among the fresh ones."""
    for name in WITH_RUNS:
        claim, fresh, more = made(name)
        if fresh is None:
            continue
        judged = verdicts(claim.headlines, fresh.headlines)
        line = next(line for line in more if line.startswith("Replication on seeds"))
        assert f"{judged.count(REPLICATED)} of {len(judged)} numbers are replicated" in line
        runs = read_runs(file_of(name))
        assert set(seeds_of(part_of(runs, PUBLISHED))).isdisjoint(FRESH)
        assert set(seeds_of(runs)) > set(FRESH)


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_pages_follow_from_their_runs(name: str) -> None:
    """The pages on alarms and on advice are recomputed too; with another outcome in one run they would differ."""
    module, folder = ALARMS[name], ALARM_RESULTS
    runs = read_runs(runs_file(name, folder), module.COLUMNS)
    claim = module.claim(runs)
    page = (folder / f"{name}.md").read_text(encoding="utf-8")
    assert page == text(claim)
    assert (folder / f"{name}.csv").read_text(encoding="utf-8") == table_csv(claim)
    if name == "alarms":
        last = len(runs) - 1
        runs.loc[last, "outcome"] = "learned" if runs["outcome"].iloc[-1] == "unfinished" else "unfinished"
    else:
        runs["loss"] = 2.0
    assert page != text(module.claim(runs))


def test_claims_without_runs_have_none() -> None:
    """The lists of claims without runs are kept short: whoever publishes runs takes the name off."""
    for name in WITHOUT_RUNS | NOT_MEASURED:
        assert not runs_file(name, RESULTS).exists(), name
    for name in NOT_MEASURED:
        assert not (RESULTS / f"{name}.md").exists(), name


@pytest.mark.parametrize("name", WITH_RUNS)
def test_runs_are_small(name: str) -> None:
    """Tens of kilobytes for each claim: they are part of every clone."""
    assert file_of(name).stat().st_size < 150_000


def test_the_readme_quotes_the_claim() -> None:
    """The factors in the README are those of the page."""
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    claim, _, _ = made("warmup_length")
    post, pre = (
        next(h.estimate for h in claim.headlines if h.words == f"factor on the peak, warmup of 20%, {norm}")
        for norm in ("post-LN", "pre-LN")
    )
    quoted = re.search(
        r"a warmup of 20 % of the run allows a peak ([\d.]+) times as high in post-LN and ([\d.]+) times", readme
    )
    assert quoted is not None
    assert [quoted[1], quoted[2]] == [f"{estimate.value:.3g}" for estimate in (post, pre)]
