"""The asv benchmarks: training, stability and schedulers. asv imports no other folder of ours by itself.

asv imports this folder by its absolute path from an empty working directory,
so the repository root must be added to ``sys.path``.
It goes first, so that an installed package called `reference` does not take precedence.

A benchmark's version is a hash of the source of its method and setup: changing these, even a docstring,
invalidates the recorded history.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
