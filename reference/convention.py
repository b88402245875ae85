"""The four choices that define "warmup of W steps", and the families A–G, which are presets of them.

Every library examined so far uses one of seven families, or a small variation such as a shift by one step.
Here t is the step, W the number of warmup steps, T the number of steps in all, s the start factor,
c(x) = ½(1 + cos πx) the cosine decay, and the base LR is 1:

======  =======================  ================  ========  =========  =================
family  warmup, t < W            decay, t >= W     first LR  peak step  last LR, t = T−1
======  =======================  ================  ========  =========  =================
A       t/W                      c((t−W)/(T−W))    0         W          c(1−1/(T−W))
B       (t+1)/W                  c((t−W)/(T−W))    1/W       W−1, W     c(1−1/(T−W))
C       (t+1)/W                  c((t−W+1)/(T−W))  1/W       W−1        0
D       t/(W−1)                  c((t−W)/(T−W))    0         W−1, W     c(1−1/(T−W))
E       s+(1−s)·t/W              c((t−W)/(T−W))    s         W          c(1−1/(T−W))
F       (t+1)/(W+1)              c((t−W)/(T−W))    1/(W+1)   W          c(1−1/(T−W))
G       (t+1)/W·c(t/T)           c(t/T)            1/W       <= W       c(1−1/T)
======  =======================  ================  ========  =========  =================

With W = 4, T = 12 and s = 0.1 that gives:

======  ========  =========  =======  =======
family  first LR  peak step  peak LR  last LR
======  ========  =========  =======  =======
A       0.000     4          1.000    0.038
B       0.250     3, 4       1.000    0.038
C       0.250     3          1.000    0.000
D       0.000     3, 4       1.000    0.038
E       0.100     4          1.000    0.038
F       0.200     4          1.000    0.038
G       0.250     3          0.854    0.017
======  ========  =========  =======  =======

Used by (releases of 2026, each run with W = 4 and T = 12):

* A: transformers (linear, polynomial, cosine, inverse square root); torchtune; optax warmup_cosine; Keras
  CosineDecay; Megatron; fairseq2 NoamLR; timm cosine with warmup_prefix=True and t_initial=T−W.
  DeepSpeed's Warmup*LR and the schedulers of pytorch_optimizer are A one step late.
* B: Noam in the Transformer paper and in OpenNMT; torchtitan, which stays at the peak one step longer;
  torch SequentialLR of LinearLR(1/W, total_iters=W−1) and CosineAnnealingLR(T−W), milestone W.
* C: transformers cosine_warmup_with_min_lr.
* D: DINO; mmengine; lightning-bolts LinearWarmupCosineAnnealingLR.
  ignite and torch OneCycleLR start the decay one step earlier, so they reach the peak only once.
* E: torch SequentialLR of LinearLR(s, total_iters=W) and CosineAnnealingLR(T−W), milestone W.
* F: nanoGPT.
* G: pytorch-warmup; torch ChainedScheduler of LinearLR and CosineAnnealingLR(T), with the warmup of E.

Two more clocks count the decay from step 0 (``absolute`` and ``meeting`` in the docstring of `Convention`):

* timm cosine with warmup_prefix=False, its default: t/W alone, then c(t/T).
* detectron2 (fvcore's WarmupParamScheduler) and timm's tanh: s+(d−s)·t/W, then the decay,
  which is at d = c(W/T) when the warmup ends.

In the code below, n is the step on the decay's own clock and D the number of decay steps.
All arithmetic here is on integers; the curves divide once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .check import Steps, one_of

STARTS = ("zero", "first", "affine", "linspace")
ENDS = ("open", "closed")
CLOCKS = ("prefix", "multiplicative", "absolute", "meeting")
PAST_ENDS = ("clamp", "periodic", "restart", "unbounded")


@dataclass(frozen=True)
class Convention:
    """How a warmup and a decay share the steps.

    ``start``: the progress x of the warmup at t < W; at t >= W the factor is 1.

    * ``zero``: x = t/W, starting at a factor of 0;
      warmups that cannot start at 0 (geometric, constant) start at their own start factor;
    * ``affine``: x = t/W, starting at any start factor s; ``zero`` is ``affine`` with s = 0;
    * ``first``: x = (t+1)/W, so that the first update already makes progress;
    * ``linspace``: x = t/(W−1), W evenly spaced points;
      with W = 1 the only point is the start, as in ``numpy.linspace``.

    ``end``: ``open`` reaches the end of the decay one step after the last (n = t−W),
    ``closed`` reaches it on the last step (n = t−W+1).

    ``clock``: ``prefix`` starts the decay when the warmup is over (D = T−W for T steps in all),
    ``multiplicative`` starts it at step 0 (n = t, D = T), and the LR is the product of the two,
    ``absolute`` starts it at step 0, and until W the warmup to the base LR replaces it: the LR jumps down at W,
    ``meeting`` starts it at step 0, and until W the warmup replaces it, which rises to where the decay is at W.

    ``past_end``: how a decay of D steps continues after them. ``clamp`` stays at the end value,
    ``periodic`` runs back and forth (as a cosine does), ``restart`` starts over every D steps,
    ``unbounded`` applies the formula as it is (a linear decay becomes negative).
    Decays without a length ignore it.

    Raises ValueError for an unknown choice.
    Source: the libraries' own code, as listed in the docstring of this module.

    >>> Convention(start="first").end
    'open'
    """

    start: str = "zero"
    end: str = "open"
    clock: str = "prefix"
    past_end: str = "clamp"

    def __post_init__(self) -> None:
        one_of("start", self.start, STARTS)
        one_of("end", self.end, ENDS)
        one_of("clock", self.clock, CLOCKS)
        one_of("past_end", self.past_end, PAST_ENDS)


#: The families by letter. F is E with start_factor 1/(W+1), which gives (t+1)/(W+1).
FAMILIES: dict[str, Convention] = {
    "A": Convention("zero"),
    "B": Convention("first"),
    "C": Convention("first", "closed"),
    "D": Convention("linspace"),
    "E": Convention("affine"),
    "F": Convention("affine"),
    "G": Convention("first", "open", "multiplicative"),
}


def progress(start: str, t: Steps, warmup_steps: int) -> tuple[Steps, int]:
    """The warmup's progress at steps 0 <= t < W, as integers (num, den) with x = num/den and den >= 1.

    >>> num, den = progress("first", np.array([0, 3]), 4)
    >>> num.tolist(), den
    ([1, 4], 4)
    """
    if start == "first":
        return t + 1, warmup_steps
    if start == "linspace":
        return t, max(warmup_steps - 1, 1)  # W = 1: t is 0, and 0/1 is the start point
    return t, warmup_steps


def fold(n: Steps, length: int | None, past_end: str, closed: bool = False) -> Steps:
    """Apply `past_end` and a closed end to the decay's clock n >= 0; the result is in 0 … D unless ``unbounded``.

    n: steps since the start of the decay; D: `length`, None for a decay without an end.
    A closed end adds 1, after ``restart``: each cycle is 1 … D and ends with the end of the decay.
    With an open end it is 0 … D−1.
    A decay of length 0 is over before it starts and has no period, so n is not folded.

    >>> [fold(np.arange(6), 3, p).tolist() for p in ("clamp", "periodic", "restart")]
    [[0, 1, 2, 3, 3, 3], [0, 1, 2, 3, 2, 1], [0, 1, 2, 0, 1, 2]]
    >>> fold(np.arange(6), 3, "restart", closed=True).tolist()
    [1, 2, 3, 1, 2, 3]
    """
    if length and past_end == "restart":
        n = n % length
    if closed:
        n = np.minimum(n, np.iinfo(np.int64).max - 1) + 1
    if not length or past_end in ("restart", "unbounded"):
        return n
    if past_end == "clamp":
        return np.minimum(n, length)
    n = n % (2 * length)
    return np.minimum(n, 2 * length - n)
