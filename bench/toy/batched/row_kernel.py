"""One Triton kernel that updates rows by Adam, each with its own LR, reading and writing the memory once.

Separate operations move about 80·P bytes for a row of P float32 numbers; the kernel moves 28·P: it reads θ, g, m and v
and writes θ, m and v.
"""

from __future__ import annotations

import math

from torch import Tensor

try:
    import triton
    import triton.language as tl
except ModuleNotFoundError:  # torch brings it along with CUDA on Linux only
    triton = None

#: Numbers that one program of the kernel updates.
BLOCK = 1024


def available() -> bool:
    """Whether this environment has Triton."""
    return triton is not None


def _update(  # type: ignore[no-untyped-def]
    parameters,
    gradients,
    means,
    squares,
    sizes,
    roots,
    step,
    length,
    WEIGHT: tl.constexpr,
    BETA2: tl.constexpr,
    EPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The kernel: block `program_id(1)` of row `program_id(0)`; constants, as Triton would round numbers to float32."""
    row = tl.program_id(0)
    t = tl.load(step)
    size = tl.load(sizes + t * tl.num_programs(0) + row)
    root = tl.load(roots + t)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < length
    at = row.to(tl.int64) * length + column
    gradient = tl.load(gradients + at, mask=inside, other=0.0)
    mean = tl.load(means + at, mask=inside, other=0.0)
    square = tl.load(squares + at, mask=inside, other=0.0)
    value = tl.load(parameters + at, mask=inside, other=0.0)
    mean += WEIGHT * (gradient - mean)
    square = BETA2 * square + (1 - BETA2) * gradient * gradient
    value += size * (mean / (tl.sqrt(square) / root + EPS))
    tl.store(means + at, mean, mask=inside)
    tl.store(squares + at, square, mask=inside)
    tl.store(parameters + at, value, mask=inside)


_kernel = None if triton is None else triton.jit(_update)


def update(
    parameters: Tensor,
    gradients: Tensor,
    mean: Tensor,
    square: Tensor,
    sizes: Tensor,
    roots: Tensor,
    step: Tensor,
    betas: tuple[float, float],
    eps: float,
) -> None:
    """Apply update t in place to rows [K, P]; the step number, its sizes and its root are read on the device.

    `sizes`: −lr/(1−β1^(t+1)) of every step and row, [T, K]; `roots`: √(1−β2^(t+1)) of every step, [T]; `step`: t, [1].
    Raises RuntimeError without Triton. Source: Kingma & Ba 2015, algorithm 1.
    """
    if _kernel is None:
        raise RuntimeError("triton is missing: this environment cannot run the kernel")
    rows, length = parameters.shape
    if rows:
        _kernel[rows, math.ceil(length / BLOCK)](
            *(parameters, gradients.contiguous(), mean, square, sizes, roots, step, length),
            WEIGHT=1 - betas[0],
            BETA2=betas[1],
            EPS=eps,
            BLOCK=BLOCK,
        )
