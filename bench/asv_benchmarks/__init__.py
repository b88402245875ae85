"""All that asv imports: training, stability and scheduler benchmarks.

asv imports this folder by its exact path from an empty working directory,
so the repository root is not on ``sys.path`` unless we put it there.
It goes first: a package named `reference` that somebody installed must not win.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
