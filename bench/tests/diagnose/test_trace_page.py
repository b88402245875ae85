"""The page and the pictures of a diagnosis: their content, and that a browser shows them on a phone."""

from __future__ import annotations

import dataclasses
import html
import html.parser
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bench.diagnose import Diagnosis, Explanation, Trace
from bench.diagnose.show.comparison import compare, rows_around, values_until_end
from bench.diagnose.show.page import render_page, write_page
from bench.diagnose.show.picture import (
    InstrumentCurve,
    as_image,
    draw_curve,
    draw_trace,
    draw_zoom,
    thinned,
    write_picture,
    zoomed,
)
from bench.diagnose.show.words import table_rows
from reference import OneCycleLR, parse
from suite.cases.hypothesis_profiles import budget
from suite.shared.plots import house_style

pytestmark = pytest.mark.slow  # draws pages

EXPECTED = parse("linear20+cosine180")
NASTY = "<script>alert('x')</script>&\"" + "w" * 300
CURVES = [
    InstrumentCurve("gradient norm <b>", np.arange(50), np.exp(np.arange(50) / 5.0), 1000.0),
    InstrumentCurve("loss", np.arange(3), np.array([1.0, np.nan, np.inf])),
]


def explained(cause: str, misfit: float = 0.0, residual: float | None = None) -> Explanation:
    """An explanation in words that no page may take for markup."""
    sentence = f"{cause}: the LR is <= 0 & late."
    return Explanation(
        cause, f"title of {cause}", sentence, 'lr="<1>"', 50, 0.5, misfit, EXPECTED, {"base_lr": 1e-3}, residual
    )


def diagnosis(verdict: str = "fault", name: str = "lr", wrong: int = 50) -> Diagnosis:
    """A trace of 200 steps whose LRs are halved from a step on."""
    lrs = EXPECTED.trace(200, 1e-3)
    if verdict != "healthy":
        lrs[wrong:] *= 0.5
    explanations = () if verdict == "unknown" else (explained("first"), explained("second", 12.0, 0.023))
    trace = Trace(np.arange(200), lrs, name=name)
    return Diagnosis(trace, EXPECTED, verdict, explanations, len(explanations[:1]), 1e-3)


class Tags(html.parser.HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one tag."""
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def nasty_page() -> str:
    """A page on which everything is called by a name that is markup, and too long for a line."""
    return render_page([diagnosis(name=NASTY), diagnosis()], source=NASTY, notes=[NASTY], curves=CURVES)


def test_the_page_needs_nothing_else(nasty_page: str) -> None:
    """It has no script, and every address in it is inline data."""
    tags = Tags(nasty_page).tags
    addresses = [value or "" for _, attrs in tags for name, value in attrs.items() if name in {"src", "href"}]
    assert len(addresses) == 7
    assert all(address.startswith("data:") for address in addresses)
    assert not {tag for tag, _ in tags} & {"script", "iframe", "object"}
    assert "//" not in re.sub(r'"data:[^"]*"', "", nasty_page)


def test_names_are_harmless(nasty_page: str) -> None:
    """A file, a column and an instrument may be called anything."""
    assert "<script" not in nasty_page
    assert "<b>" not in nasty_page
    assert nasty_page.count("&lt;script&gt;") >= 4


def test_the_page_says_what_the_diagnosis_says() -> None:
    """Verdict, sentence, fix, the first difference and the rows around it are all there; what does not fit is not."""
    page = html.unescape(render_page([diagnosis()], source="log.csv", notes=["read so"]))
    for text in ("Fault: title of first", "first: the LR is <= 0 & late.", 'lr="<1>"', "read so"):
        assert text in page
    assert "title of second" not in page
    right = float(EXPECTED([50], 1e-3)[0])
    assert f"<td>50 ≠</td><td>{right:.4g}</td><td>{right / 2:.4g}</td>" in page
    assert (
        f"150 of 200 logged LRs differ from the expected schedule; first at step 50: logged {right / 2:.4g}, expected"
        in page
    )
    assert "Expected: linear warmup of 20 steps (family A), cosine decay from base LR 0.001 over 180 steps.</p>" in page
    assert EXPECTED.slug not in page


@pytest.mark.parametrize("verdict", ["healthy", "unknown"])
def test_other_verdicts_have_a_page(verdict: str) -> None:
    """A healthy trace names nothing to change, and an unknown one no explanation."""
    page = render_page([diagnosis(verdict)], source="log.csv")
    assert f'class="verdict {verdict}"' in page
    assert "What to change" not in page
    bare = dataclasses.replace(diagnosis("unknown"), expected=None)
    page = render_page([bare], source="log.csv")
    assert diagnosis("unknown").sentence() in page
    assert "Expected: " not in page


def test_every_picture_has_its_words(nasty_page: str) -> None:
    """Each image has a text in its place that names what is drawn and where it starts to differ."""
    texts = [attrs["alt"] or "" for tag, attrs in Tags(nasty_page).tags if tag == "img"]
    assert [bool(text) for text in texts] == [True] * 6
    assert "first at step 50" in texts[0]
    assert "step 50: " in texts[1]
    assert "threshold of 1000" in texts[4]


def test_the_page_is_the_same_on_every_run() -> None:
    """No date, no random number and no memory address is in it."""
    assert render_page([diagnosis()], source="a") == render_page([diagnosis()], source="a")


def test_a_large_trace_makes_a_small_page() -> None:
    """The picture of 1e5 steps is no larger than a few times that of 200."""
    steps = np.arange(100_000)
    noisy = Trace(steps, 1.0 + np.sin(steps) / 3)
    large = render_page([Diagnosis(noisy, parse("linear20+hold"), "unknown", (), 0, 1.0)], source="a")
    assert len(large) < 5 * len(render_page([diagnosis()], source="a"))


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    """What is on disk is the page, in UTF-8."""
    write_page(tmp_path / "page.html", "<p>≠</p>")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "<p>≠</p>"


@budget(100)
@given(arrays.arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e3, 1e3)), st.integers(2, 60))
def test_thinning_keeps_what_stands_out(values: np.ndarray, most: int) -> None:
    """Ends, the smallest and the largest value stay, and no more points than asked for but the two ends."""
    kept = thinned(values, most)
    assert kept[0] == 0
    assert kept[-1] == values.size - 1
    assert (np.diff(kept) > 0).all()
    assert (values[kept].min(), values[kept].max()) == (values.min(), values.max())
    assert kept.size <= max(most, 2) + 2


def test_the_picture_shows_both_curves_and_the_first_difference() -> None:
    """The lines are the expected and the logged LRs, and a vertical one stands at the first difference."""
    from matplotlib.figure import Figure

    fault = diagnosis()
    for draw, steps in ((draw_trace, np.arange(200)), (draw_zoom, np.arange(42, 66))):
        axes = Figure().subplots()
        draw(axes, fault)
        expected, logged, mark = axes.lines
        assert np.asarray(logged.get_xdata()).tolist() == steps.tolist()
        assert np.asarray(logged.get_ydata()).tolist() == fault.trace.lrs[steps].tolist()
        assert np.asarray(expected.get_ydata()).tolist() == EXPECTED(steps, 1e-3).tolist()
        assert np.asarray(mark.get_xdata()).tolist() == [50, 50]


def test_no_zoom_where_nothing_differs() -> None:
    """A healthy trace has no first difference to zoom in on."""
    from matplotlib.figure import Figure

    assert zoomed(diagnosis())
    assert not zoomed(diagnosis("healthy"))
    with pytest.raises(ValueError, match=r"^trace='lr' must have a step"):
        draw_zoom(Figure().subplots(), diagnosis("healthy"))


def test_an_instrument_without_a_finite_reading_is_drawn() -> None:
    """A run that diverged at once leaves only gaps."""
    empty = InstrumentCurve("loss", np.arange(3), np.full(3, np.nan), 1.0)
    assert as_image(lambda axes: draw_curve(axes, empty)).startswith("data:image/svg+xml;base64,")


def test_the_plot_is_a_picture_file(tmp_path: Path) -> None:
    """Every trace has a row, and a format that cannot be written is refused by name."""
    with house_style():
        write_picture([diagnosis(), diagnosis("healthy", name="$_{")], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"^plot=.*must end in one of"):
        write_picture([diagnosis()], tmp_path / "plot.xyz")


def test_the_rows_stand_around_the_first_difference() -> None:
    """Two rows before it, four from it on; the first four where nothing differs; fewer at the ends."""
    assert [(row.step, row.differs) for row in rows_around(diagnosis())] == [(t, t >= 50) for t in range(48, 54)]
    assert [row.step for row in rows_around(diagnosis("healthy"))] == list(range(4))
    assert [row.step for row in rows_around(diagnosis(wrong=198))] == [196, 197, 198, 199]


def test_a_table_is_shown_only_where_something_differs() -> None:
    """The rows of a healthy trace repeat each other, so there is no table; those of a fault have both LRs apart."""
    assert table_rows(diagnosis("healthy")) == []
    assert [row.differs for row in table_rows(diagnosis())] == [False, False, True, True, True, True]
    near = dataclasses.replace(diagnosis(), trace=Trace(np.arange(200), EXPECTED.trace(200, 1e-3) * (1 + 1e-6)))
    assert all(row.expected != row.logged for row in table_rows(near) if row.differs)


def test_a_trace_without_an_expectation_is_compared_with_the_identified_schedule() -> None:
    """The schedule of the first explanation, at its base LR, replaces the expected one."""
    comparison = compare(dataclasses.replace(diagnosis(), expected=None, base_lr=None))
    assert comparison is not None
    assert (comparison.label, comparison.base_lr, comparison.first) == ("intended", 1e-3, 50)
    assert compare(dataclasses.replace(diagnosis("unknown"), expected=None)) is None


def test_a_fault_of_the_schedule_itself_is_marked() -> None:
    """Where the identified schedule has the fault too, nothing differs, and the first wrong step is looked at."""
    healthy = diagnosis("healthy")
    trace = Trace(healthy.trace.steps[::3], healthy.trace.lrs[::3])
    comparison = compare(dataclasses.replace(healthy, trace=trace, verdict="fault", expected=None))
    assert comparison is not None
    assert (comparison.label, comparison.first, comparison.mark, trace.steps[comparison.mark or 0]) == (
        "identified",
        None,
        17,
        51,
    )


@pytest.mark.parametrize("total", [2, 3, 7, 64, 100])
def test_a_schedule_is_followed_to_its_end(total: int) -> None:
    """From the step on that a schedule refuses there is no expectation, and before it the whole one."""
    schedule = OneCycleLR(max_lr=1.0, total_steps=total)
    steps = np.arange(0, 80, 2)
    lrs = values_until_end(schedule, steps, 0.5)
    assert np.isnan(lrs).tolist() == (steps >= total).tolist()
    assert lrs[steps < total].tolist() == schedule(steps[steps < total], 0.5).tolist()


#: Widths in pixels: two phones and a laptop.
WIDTHS = (360, 390, 1280)
#: Reads the frames when they have loaded, and leaves the result as the text of the page.
READER = """<script>addEventListener("load", () => {
const views = [...document.querySelectorAll("iframe")].map(frame => {
  const page = frame.contentDocument, root = page.documentElement;
  return {excess: root.scrollWidth - root.clientWidth, scripts: page.scripts.length, title: page.title,
          drawn: [...page.images].map(image => image.complete && image.naturalWidth > 0)};
});
document.body.textContent = JSON.stringify(views);
})</script>"""


def test_a_browser_shows_it_on_a_phone(nasty_page: str, tmp_path: Path) -> None:
    """At 360, 390 and 1280 pixels nothing is cut off, every picture is drawn, and there is no script."""
    browser = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )
    if not browser:
        pytest.skip("no chromium is installed")
    frames = (f'<iframe style="width:{w}px" srcdoc="{html.escape(nasty_page)}"></iframe>' for w in WIDTHS)
    (tmp_path / "frames.html").write_text("".join(frames) + READER, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path / 'user'}"]
    address = (tmp_path / "frames.html").as_uri()
    shown = subprocess.run(
        [browser, *flags, "--dump-dom", address], check=True, stdout=subprocess.PIPE, text=True, timeout=120
    ).stdout
    text = re.search(r"<body>(.*)</body>", shown, re.DOTALL)
    assert text is not None
    views = json.loads(html.unescape(text[1]))
    assert [(view["excess"], view["scripts"], view["drawn"]) for view in views] == [(0, 0, [True] * 6)] * len(WIDTHS)
    assert [view["title"] for view in views] == [f"Diagnosis of {NASTY}"] * len(WIDTHS)
