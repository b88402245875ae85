"""The CI kit: each action and example runs here as a script, with the installed package, without network.

A `python` before the real one on PATH installs nothing, takes the installed release for the newest, and checks a few
cases instead of all.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from suite.engine.subject import installed
from suite.tests.house.tree import ROOT

from .elsewhere import one_name

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the scripts are for bash"),
]
yaml: Any = pytest.importorskip("yaml", reason="reads the actions")

ACTIONS = ROOT / ".github" / "actions"
STOCK = Path(str(installed().schedulers.__file__))
#: Halves every step of the classes that multiply by gamma.
WRONG = ('group["lr"] * self.gamma', 'group["lr"] * self.gamma * 0.5')
TRAIN = """
from torch.optim.lr_scheduler import StepLR

def make_scheduler(optimizer):
    return StepLR(optimizer, 3)
"""
PYTHON = f"""#!/usr/bin/env bash
arguments=()
for word in "$@"; do
    if [ "$word" = pip ]; then echo "pip: $*" >>pip.log; exit 0; fi
    if [ "$word" = newest ]; then word=installed; fi
    arguments+=("$word")
    if [ "$word" = check ]; then arguments+=(--only 'steplr5*'); fi
done
exec {sys.executable} "${{arguments[@]}}"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, and beside it the `python` of the scripts."""
    folder = tmp_path_factory.mktemp("kit")
    one_name().write_package(ROOT, folder / "site" / "warmup_bench")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text(PYTHON, encoding="utf-8")
    (folder / "bin" / "python").chmod(0o755)
    return folder / "site"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a scheduler, and a copy of torch's schedulers with a mistake."""
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    source = STOCK.read_text(encoding="utf-8")
    assert WRONG[0] in source
    (tmp_path / "wrong.py").write_text(source.replace(*WRONG), encoding="utf-8")
    return tmp_path


def run_script(script: str, project: Path, site: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run lines of bash as a step of GitHub Actions does."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    clean |= {"PATH": f"{site.parent / 'bin'}{os.pathsep}{clean['PATH']}", "PYTHONPATH": str(site)}
    clean |= {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project / "summary.md")}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=project, env=clean | environment, capture_output=True, text=True, check=False)


def steps_of(action: str, inputs: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    """The scripts of an action, each with its environment, for these inputs."""
    text = yaml.safe_load((ACTIONS / action / "action.yml").read_text(encoding="utf-8"))
    assert text["runs"]["using"] == "composite"
    values = {name: str(field.get("default", "")) for name, field in text["inputs"].items()} | inputs
    assert set(inputs) <= set(text["inputs"])
    found = []
    for step in text["runs"]["steps"]:
        assert step["shell"] == "bash"
        given = {
            name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: values[match[1]], value)
            for name, value in step.get("env", {}).items()
        }
        found.append((step["run"], given | {"GITHUB_ACTION_PATH": str(ACTIONS / action)}))
    return found


def run_action(action: str, project: Path, site: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The last step of an action, after the others have succeeded."""
    *first, (script, given) = steps_of(action, inputs)
    for earlier, environment in first:
        assert run_script(earlier, project, site, **environment).returncode == 0
    return run_script(script, project, site, **given)


def test_a_scheduler_that_does_not_change(project: Path, site: Path) -> None:
    """The same schedulers on both sides: the job passes, its summary says so, and nothing is annotated."""
    done = run_action("learning-rate", project, site, factory="train:make_scheduler", to=str(STOCK), steps="12")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no change in 12 steps of train:make_scheduler" in done.stdout
    assert "::" not in done.stdout
    assert (project / "summary.md").read_text(encoding="utf-8").startswith("### No change for `train:make_scheduler`")
    assert f"install {ACTIONS}/learning-rate/../../.." in (project / "pip.log").read_text(encoding="utf-8")


def test_a_scheduler_that_changes(project: Path, site: Path) -> None:
    """Other learning rates: the job fails, with an annotation and a summary of the same lines."""
    done = run_action("learning-rate", project, site, factory="train:make_scheduler", to="wrong.py")
    summary = (project / "summary.md").read_text(encoding="utf-8")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert done.returncode == 1
    assert summary.startswith("### `train:make_scheduler` changes from torch ")
    assert line.startswith("::error title=train%3Amake_scheduler from torch ")
    change = next(line for line in summary.splitlines() if line.startswith("* "))[2:]
    assert change.replace("%", "%25") in line
    assert change in done.stdout


def test_a_factory_that_does_not_exist(project: Path, site: Path) -> None:
    """Bad input is one line and exit code 2."""
    done = run_action("learning-rate", project, site, factory="train:unknown", to="wrong.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("factory='train:unknown' must name something in train")


@pytest.mark.parametrize(("file", "code"), [("wrong.py", 1), (str(STOCK), 0)])
def test_a_working_copy_of_torch(file: str, code: int, project: Path, site: Path) -> None:
    """The summary to paste has what is new and what changes; only a new deviation fails the job."""
    (script, given) = steps_of("torch-schedulers", {"file": file})[-1]
    done = run_script(script, project, site, **given, COMPOSITION="steplr3")
    text = (project / "scheduler_changes.md").read_text(encoding="utf-8")
    assert done.returncode == code, done.stderr
    assert "check.md" not in os.listdir(project)
    assert (project / "check.xml").exists()
    first, second = [line for line in text.splitlines() if line.startswith("### ")]
    assert first.startswith(f"### Learning-rate schedulers of `{file} on torch")
    assert first.endswith(": nothing new") == (code == 0)
    assert second.startswith(f"### {code} of 1 scheduler compositions change")
    assert ("| learning rates | " in text) == (code == 1)
    assert [line for line in done.stdout.splitlines() if line.startswith("::error ")] != [] or code == 0
    assert (project / "summary.md").read_text(encoding="utf-8").split() == text.split()


def test_the_example_workflow_installs_what_its_report_needs() -> None:
    """A job whose tests write a report installs the extra that draws it: without it pytest refuses the option."""
    workflow = yaml.safe_load((ROOT / ".github" / "examples" / "learning-rates.yml").read_text(encoding="utf-8"))
    reporting = [job for job in workflow["jobs"].values() if "--warmup-bench-report" in str(job)]
    assert reporting
    for job in reporting:
        used = [step["uses"] for step in job["steps"] if "/.github/actions/" in step.get("uses", "")]
        names = [name.partition("/.github/actions/")[2].partition("@")[0] for name in used]
        installed_by = [(ACTIONS / name / "action.yml").read_text(encoding="utf-8") for name in names]
        assert any('pip install "$GITHUB_ACTION_PATH/../../..[atlas]"' in text for text in installed_by)


def test_the_example_workflow(project: Path, site: Path) -> None:
    """Every step of the example that is a script runs, with the tests of the scratch repository as the project's."""
    text = (ROOT / ".github" / "examples" / "learning-rates.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert set(workflow["jobs"]) == {"pull_request", "nightly"}
    (project / "tests").mkdir()
    (project / "tests" / "test_rate.py").write_text("def test_rate(lr_recorder):\n    assert lr_recorder\n")
    for job in workflow["jobs"].values():
        environment = {name: str(value) for name, value in job.get("env", {}).items()}
        for step in job["steps"]:
            if "uses" in step:
                action = step["uses"].partition("/.github/actions/")[2].partition("@")[0]
                assert step["uses"].startswith("actions/") or set(step["with"]) <= set(
                    yaml.safe_load((ACTIONS / action / "action.yml").read_text(encoding="utf-8"))["inputs"]
                )
                continue
            # As its entry point would; an installed copy must not register a second time.
            plugin = {
                "PYTEST_PLUGINS": "warmup_bench.bench.pytest_plugin.plugin",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            }
            done = run_script(step["run"], project, site, **environment, **plugin)
            assert done.returncode == 0, (step["name"], done.stdout, done.stderr)
    assert {"learning_rates.xml", "learning_rates.html", "check.xml"} <= set(os.listdir(project))
