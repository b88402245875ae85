"""asv: how much of the cores other programs took while the benchmarks ran: a mark on all times of the run."""

from __future__ import annotations

from bench.toy.processor import free_share


class MachineLoad:
    """The load beside the run. Above 1.1 (QUIET in `bench.toy.processor`) its times are not worth comparing."""

    def track_seconds_per_cpu_second(self) -> float:
        """Seconds that a second of CPU time takes while all our cores compute: 1 on a quiet machine."""
        return 1 / max(free_share(2.0), 0.01)

    track_seconds_per_cpu_second.unit = "s per CPU s"  # type: ignore[attr-defined]
    track_seconds_per_cpu_second.version = "1"  # type: ignore[attr-defined]
