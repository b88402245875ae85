"""Show verdicts: text and tables in a terminal, a picture, an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.core.trace import Trace
from bench.diagnose.show.page import render_page, write_page
from bench.diagnose.show.picture import InstrumentCurve
from bench.toy.measures import FAILED_LOSS
from bench.watch.thresholds import HIGH_SHARE
from reference import parse
from reference.check import Rates, Steps
from suite.shared.console import plain_table
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, house_style, save

from .alarm_rules import WATCHED
from .outcome import FAILURES
from .verdict import StabilityVerdict, advice, definitions, headline, name, paragraphs, warning

if TYPE_CHECKING:
    from rich.console import Console

#: The width of the first column of the table of runs, including the gaps between columns.
WIDTH = 70
COLORS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
#: Sharpness measurements by the index of the schedule: steps, and values in units of the limit.
Curvatures = Mapping[int, tuple[Steps, Rates]]


def limits() -> dict[str, float]:
    """The alarm thresholds that are drawn, by the name of the record."""
    thresholds = {part: threshold for alarm in WATCHED for part, threshold in alarm.parts}
    names = {"attention logit while the loss is high": "attention_logits", "update ratio": "update_ratios"}
    return {record: thresholds[part] for part, record in names.items() if part in thresholds}


TITLES = {
    "losses": "training loss, nats per token",
    "attention_logits": "largest |attention logit|",
    "gradient_norms": "gradient norm",
    "update_ratios": "update / parameters",
}


def print_verdict(console: Console, verdict: StabilityVerdict) -> None:
    """Print the verdict, a table of the runs, and a table of the changes that were tried."""
    for paragraph in paragraphs(verdict):
        console.print(paragraph)
    # A line may wrap, but must not be cut.
    console.width = max(console.width, WIDTH + max(map(len, FAILURES)) * len(verdict.seeds))
    table = plain_table()
    table.add_column("seed", no_wrap=True)
    for seed in verdict.seeds:
        table.add_column(str(seed), justify="right", no_wrap=True)
    table.add_row("outcome", *(ending.kind for ending in verdict.outcomes))
    table.add_row(f"validation loss after {verdict.setup.steps} steps", *(f"{x:.2g}" for x in verdict.records.final))
    table.add_row("step at which the loss shows the failure", *(_step(ending.step) for ending in verdict.outcomes))
    for alarm in WATCHED:
        table.add_row(f"first step with {alarm.words}", *(_step(int(step)) for step in verdict.first_steps(alarm)))
    console.print(table)
    if verdict.remedy is not None and verdict.remedy.tried:
        tried = plain_table()
        for head in ("tried", "base LR", "seeds", "learned", f"loss > {FAILED_LOSS:g}"):
            tried.add_column(head, justify="left" if head == "tried" else "right")
        for trial in verdict.remedy.tried:
            tried.add_row(trial.schedule, f"{trial.base_lr:g}", str(trial.runs), str(trial.learned), str(trial.failed))
        console.print(tried)


def _step(step: int | None) -> str:
    return "-" if step is None or step < 0 else str(step)


def shown_run(verdict: StabilityVerdict) -> int:
    """The index of the run whose curves are shown: the first that failed, or else the first."""
    return int(verdict.failed[0]) if verdict.failed.size else 0


def curve_name(verdict: StabilityVerdict) -> str:
    """The short name of the curves of the shown run, for legends."""
    setup, i = verdict.setup, shown_run(verdict)
    return f"{setup.schedule} at base LR {setup.base_lr:g}, seed {verdict.seeds[i]}"


def write_picture(verdicts: Sequence[StabilityVerdict], path: Path, curvatures: Curvatures) -> None:
    """Draw the instruments of one run per schedule; raises ValueError for an unsupported format."""
    from matplotlib.figure import Figure

    with house_style():
        panels = [*TITLES, *(["sharpness"] if curvatures else [])]
        rows = -(-len(panels) // 2)
        figure = Figure(figsize=(9.6, 2.7 * rows + 0.8), layout="constrained")
        axes = figure.subplots(rows, 2, squeeze=False).flatten()
        for panel in axes[len(panels) :]:
            panel.set_axis_off()
        for k, verdict in enumerate(verdicts):
            i, color = shown_run(verdict), COLORS[k % len(COLORS)]
            style = ("-", "--", ":")[k // len(COLORS) % 3]
            label = f"{curve_name(verdict)}: {verdict.outcomes[i].kind}"
            for panel, field in zip(axes, TITLES, strict=False):
                values = getattr(verdict.records, field)[i]
                shown = np.isfinite(values) & (values > 0)  # an LR of 0 updates nothing
                panel.plot(np.where(shown, values, np.nan), style, color=color, label=label)
                if (alarm := verdict.warned()) is not None and (first := int(verdict.first_steps(alarm)[i])) >= 0:
                    panel.plot(first, values[first], "^", color=color, markeredgecolor="black", zorder=3)
                if (step := verdict.outcomes[i].step) is not None:
                    panel.axvline(step, color=color, linewidth=0.8, linestyle=":")
            if k in curvatures:
                axes[len(TITLES)].plot(*curvatures[k], style, color=color, marker=".", label=label)
        for panel, field in zip(axes, TITLES, strict=False):
            panel.set(title=TITLES[field], xlabel="optimizer step")
            if field in limits():
                panel.axhline(limits()[field], color="black", linewidth=0.8, linestyle="--")
        axes[list(TITLES).index("update_ratios")].set_yscale("log")
        if curvatures:
            axes[len(TITLES)].set(title="sharpness / limit of the LR", yscale="log", xlabel="optimizer step")
            axes[len(TITLES)].axhline(1.0, color="black", linewidth=0.8, linestyle="--")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", fontsize=9, frameon=False)
        caption = (
            "Triangle: first warning. Dotted: step at which the loss shows the failure. Dashed: alarm thresholds;\n"
            f"the one for the attention logit applies while the loss is above {HIGH_SHARE:g} times its first value."
        )
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=9, color=GREY)
        save(figure, path)


def write_html(verdicts: Sequence[StabilityVerdict], path: Path, curvatures: Curvatures) -> None:
    """Write the report as one self-contained page."""
    model = verdicts[0].setup
    source = f"training runs: {model.config}, {model.norm}-LN, {model.steps} steps"
    curves = []
    for k, verdict in enumerate(verdicts):
        i = shown_run(verdict)
        about = curve_name(verdict)
        for field, title in TITLES.items():
            values = getattr(verdict.records, field)[i]
            curves.append(InstrumentCurve(f"{title}\n{about}", np.arange(values.size), values, limits().get(field)))
        if k in curvatures:
            curves.append(InstrumentCurve(f"sharpness / limit of the LR\n{about}", *curvatures[k], 1.0))
    page = render_page(
        [_diagnosis(verdict) for verdict in verdicts], source=source, notes=[definitions()], curves=curves
    )
    write_page(path, page)


def _diagnosis(verdict: StabilityVerdict) -> Diagnosis:
    """The verdict in the form that the page takes."""
    i, schedule = shown_run(verdict), parse(verdict.setup.schedule)
    trace = Trace(np.arange(verdict.setup.steps), verdict.records.lrs[i], name(verdict.setup))
    explanation = Explanation(
        cause="training",
        title=verdict.outcomes[i].kind,
        sentence=" ".join(part for part in (headline(verdict), warning(verdict)) if part),
        fix=advice(verdict),
        first_step=None,  # no LR is wrong, so there is nothing to zoom in on
        size=None,
        misfit=0.0,
        schedule=schedule,
        parameters={},
    )
    word = "fault" if verdict.failed.size else "healthy"
    return Diagnosis(trace, schedule, word, (explanation,), 1, verdict.setup.base_lr)
