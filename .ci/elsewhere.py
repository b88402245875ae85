"""Try what other people's CI does: the package from a built wheel, away from the clone, in a scratch repository.

`python .ci/elsewhere.py` builds the wheel from a copy of the tree, deletes the copy, and runs in an empty folder:
`warmup_bench.suite check`, whose verdicts must be those of the clone, and the five tests of `scratch_repository`, whose
verdicts are below. `python .ci/elsewhere.py --overhead 30` measures instead what the plugin adds to `pytest --co` in a
project that does not use it (bar: 20 ms), in that many pairs of runs.
Needs the test extra; uses the interpreter that it is run with.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
#: Test → what its failure must say; the first is right.
VERDICTS = {
    "test_healthy": "",
    "test_one_step_late": "Every LR comes 1 step late",
    "test_resumed_wrongly": "The optimizer's state was loaded after 25 updates, but its scheduler starts at step 0",
    "test_accumulation": "The scheduler is stepped 4 times per update",
    "test_two_optimizers": "SGD does not follow the schedule",
}
#: Milliseconds that the plugin may add to a run that does not use it.
BAR = 20.0
UNRELATED = "import sys\n\n\ndef pytest_sessionfinish():\n    print('torch' in sys.modules)\n"


def call(*command: str | Path, cwd: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program with the package in `site`, and no other way to find ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    environment = clean | ({} if site is None else {"PYTHONPATH": str(site)})
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def checked(done: subprocess.CompletedProcess[str], *codes: int) -> str:
    """The output of a program that must end with one of these codes."""
    if done.returncode not in codes:
        sys.exit(f"{' '.join(done.args)} ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def install(work: Path) -> Path:
    """Build the wheel from a copy of the tree, delete the copy, and unpack the wheel."""
    copy, site = work / "copy", work / "site"
    listed = checked(call("git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z", cwd=CLONE), 0)
    for name in filter(None, listed.split("\0")):
        if (CLONE / name).is_file() and not name.startswith("results/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CLONE / name, copy / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    checked(call(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", work, copy, cwd=work), 0)
    shutil.rmtree(copy)
    (wheel,) = work.glob("*.whl")
    checked(call(*pip, "install", "--no-deps", "--target", site, wheel, cwd=work), 0)
    return site


def check_verdicts(site: Path, empty: Path) -> None:
    """`check` gives the same JSON in the clone and elsewhere, apart from its own name."""
    command = [sys.executable, "-m", "suite", "check", "--json"]
    here = subprocess.Popen(command, cwd=CLONE, stdout=subprocess.PIPE, text=True)
    there = call(sys.executable, "-m", "warmup_bench.suite", "check", "--json", cwd=empty, site=site)
    expected = here.communicate()[0]
    found = checked(there, here.returncode).replace("python -m warmup_bench.suite", "python -m suite")
    if found != expected:
        sys.exit("the installed package gives other verdicts than the clone")
    print("verdicts of the installed package: those of the clone")


def check_scratch(site: Path, scratch: Path) -> None:
    """The five tests of the scratch repository end as they must, with the right diagnosis."""
    shutil.copytree(CLONE / ".ci" / "scratch_repository", scratch)
    options = ("-q", "-p", "no:cacheprovider", "--junit-xml=tests.xml", "--warmup-bench-report=page.html")
    done = call(sys.executable, "-m", "pytest", *options, cwd=scratch, site=site)
    checked(done, 1)
    failures = {
        case.get("name"): "".join(str(failure.get("message")) for failure in case.iter("failure"))
        for case in ElementTree.parse(scratch / "tests.xml").iter("testcase")
    }
    if set(failures) != set(VERDICTS):
        sys.exit(f"other tests ran than expected: {sorted(map(str, failures))}\n{done.stdout}")
    for name, words in VERDICTS.items():
        if bool(failures[name]) != bool(words) or words not in failures[name]:
            sys.exit(f"{name} must {'say: ' + words if words else 'pass'}, but:\n{failures[name]}")
    page = (scratch / "page.html").read_text(encoding="utf-8")
    if "4 of 8 checks passed" not in page:
        sys.exit("the report does not show 4 passed checks of 8")
    print(f"scratch repository: {len(VERDICTS)} right verdicts")


def children_seconds() -> float:
    """The CPU time of all programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def overhead(site: Path, project: Path, pairs: int) -> int:
    """Print what the plugin adds to `pytest --co`, as elapsed time and as CPU time; 1 where it is above the bar."""
    project.mkdir()
    (project / "conftest.py").write_text(UNRELATED, encoding="utf-8")
    (project / "test_one.py").write_text("def test_one():\n    assert True\n", encoding="utf-8")
    command = (sys.executable, "-m", "pytest", "--co", "-q", "-s", "-p", "no:cacheprovider")

    def timed(*options: str, place: Path) -> tuple[float, float]:
        before, start = children_seconds(), time.perf_counter()
        output = checked(call(*command, *options, cwd=project, site=place), 0)
        elapsed, cpu = time.perf_counter() - start, children_seconds() - before
        if "True" in output.splitlines():
            sys.exit("torch was imported")
        return 1e3 * elapsed, 1e3 * cpu

    differences: list[tuple[float, float]] = []
    for i in range(pairs + 1):
        with_it, without = timed(place=site), timed("-p", "no:warmup_bench", place=project)
        if i:  # the first pair writes the bytecode
            differences.append((with_it[0] - without[0], with_it[1] - without[1]))
    for name, values in zip(("elapsed", "CPU"), zip(*differences, strict=True), strict=True):
        low, middle, high = statistics.quantiles(values, n=4)
        print(
            f"pytest --co, {name}: the plugin adds {middle:.1f} ms (quartiles {low:.1f} to {high:.1f}, {pairs} pairs)"
        )
    return int(statistics.median(values[0] for values in differences) > BAR)


def main() -> int:
    """Install and try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--overhead", type=int, default=0, metavar="PAIRS", help="measure the cost of the plugin instead"
    )
    parser.add_argument("--no-verdicts", action="store_true", help="leave out the comparison of all verdicts")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="warmup-bench-") as folder:
        work = Path(folder).resolve()
        site, empty = install(work), work / "empty"
        if args.overhead:
            return overhead(site, work / "unrelated", max(args.overhead, 2))
        empty.mkdir()
        check_scratch(site, work / "scratch")
        if not args.no_verdicts:
            check_verdicts(site, empty)
    return 0


if __name__ == "__main__":
    sys.exit(main())
