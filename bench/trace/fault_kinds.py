"""Every kind that the benchmark draws."""

from __future__ import annotations

from .drawn import Kind
from .fault_clocks import CLOCK_KINDS
from .fault_scales import SCALE_KINDS
from .fault_shapes import SHAPE_KINDS

#: Kind → how it is drawn, what is right, and what the diagnosis may be told.
KINDS: dict[str, Kind] = {**CLOCK_KINDS, **SCALE_KINDS, **SHAPE_KINDS}
