"""Every kind that the benchmark draws."""

from __future__ import annotations

from .clocks import CLOCK_KINDS
from .drawn import Kind
from .scales import SCALE_KINDS
from .shapes import SHAPE_KINDS

#: Kind → how it is drawn, what is right, and what the diagnosis may be told.
KINDS: dict[str, Kind] = {**CLOCK_KINDS, **SCALE_KINDS, **SHAPE_KINDS}
