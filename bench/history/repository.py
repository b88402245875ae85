"""A git repository with one commit per torch release, dated as released: what asv's history is over.

The commits are the same on every machine, because they depend on the names and the dates alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from suite.shared.cli import InputError

_PERSON = {
    f"GIT_{role}_{part}": text
    for role in ("AUTHOR", "COMMITTER")
    for part, text in (("NAME", "torch releases"), ("EMAIL", "releases@localhost"))
}


def make(folder: Path, dates: Mapping[str, str]) -> dict[str, str]:
    """Make the repository, again where it exists; return the commit of each release. Raises InputError without git."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}

    def git(*words: str, day: str = "2000-01-01", text: str = "") -> str:
        dated = {f"GIT_{role}_DATE": f"{day}T00:00:00+0000" for role in ("AUTHOR", "COMMITTER")}
        try:
            done = subprocess.run(
                ["git", "-c", "core.autocrlf=false", *words],
                cwd=folder,
                env={**clean, **_PERSON, **dated, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
                input=text,
                capture_output=True,
                text=True,
            )
        except FileNotFoundError:
            raise InputError("git must be installed: asv reads the releases from a repository") from None
        if done.returncode != 0:
            raise InputError(f"command='git {words[0]}' failed: {' '.join(done.stderr.split())}")
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    commits: dict[str, str] = {}
    for release, day in dates.items():
        blob = git("hash-object", "-w", "--stdin", text=f"{release}\n")
        tree = git("mktree", text=f"100644 blob {blob}\tRELEASE\n")
        parent = ("-p", list(commits.values())[-1]) if commits else ()
        commits[release] = git("commit-tree", tree, *parent, "-m", f"torch {release}", day=day)
        git("tag", release, commits[release])
    git("update-ref", "refs/heads/main", list(commits.values())[-1])
    git("reset", "--hard", "--quiet")
    return commits
