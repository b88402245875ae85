"""Causes that multiply the right schedule by a factor."""

from __future__ import annotations

from .cause import Cause

SCALE_CAUSES = (
    Cause(
        "lr-zero",
        "the LR is identically 0",
        "0 at every step, or at every step until a floor lifts it",
        "the optimizer was built with lr=0 and the scheduler multiplies that",
        "give the optimizer its base LR: Optimizer(params, lr=base_lr)",
        "The LR is 0 at every step where the schedule multiplies it: the optimizer was built with lr=0.",
        0,
    ),
    Cause(
        "wrong-base",
        "the base LR is another",
        "every LR is the expected one times a constant, from step 0 on",
        "another base LR: a scaling rule, a parameter group's own lr, an overwritten option",
        "check Optimizer(params, lr=…) and any linear scaling by batch size",
        "Every LR is {c:.6g} times the expected one: the base LR is {base:.6g}.",
        1,
    ),
    Cause(
        "start-kept",
        "the warmup's start factor is kept for ever",
        "the LR never leaves start_factor · schedule",
        "a warmup of length 0: LinearLR(total_iters=0) and ConstantLR(total_iters=0) never reach 1",
        "leave the warmup out when its length is 0",
        "The warmup's start factor {c:.6g} is never left: every LR is {c:.6g} times what it should be.",
        0.8,
    ),
    Cause(
        "blow-up",
        "the LR is 1/start_factor times too high",
        "the warmup (or the whole run) is 1/start_factor times too high",
        "the start factor was wiped before the recursion multiplied by it: a SequentialLR inside a SequentialLR up to "
        "torch 2.5, or an LR that was reset after building the scheduler",
        "flatten nested SequentialLRs into one list of parts; do not set group['lr'] after building",
        "From step {r} on the LR is {c:.6g} times too high, that is 1/start_factor: the start factor was wiped.",
        0.7,
    ),
    Cause(
        "resume-scaled",
        "the LR is scaled by a constant after resuming",
        "from step r on every LR is the expected one times a constant",
        "the optimizer's state was loaded before the scheduler was built, which multiplied the loaded LR again",
        "build optimizer and scheduler first, then load the optimizer's state, then the scheduler's",
        "From step {r} on every LR is {c:.6g} times the expected one: states were restored in the wrong order.",
        2,
    ),
    Cause(
        "phase-scaled",
        "a phase does not start from the base LR",
        "one phase is the expected one times a constant, from its milestone on or up to it",
        "the phase goes on from the last LR (MultiplicativeLR in a SequentialLR), or another scheduler replaced the "
        "base LR (OneCycleLR)",
        "write the phase as one LambdaLR of the whole factor",
        "The LRs {where} step {r} are {c:.6g} times the expected ones: that phase does not start from the base LR.",
        1.6,
    ),
    Cause(
        "factor-twice",
        "a factor is applied twice at a boundary",
        "from a milestone on every LR has the drop's factor once too often",
        "two schedulers share the milestone, or a restart with last_epoch at the milestone repeats the drop",
        "remove the doubled milestone; restore with load_state_dict, not with last_epoch",
        "At step {r} the factor {c:.6g} is applied twice: every later LR is {c:.6g} times what it should be.",
        0.8,
    ),
    Cause(
        "milestone-missed",
        "a milestone is missed",
        "at a milestone nothing happens: the drop is missing, or the decay never begins",
        "the milestone is no whole number, or the list is not sorted, so that the counter never equals it",
        "milestones=[round(m) for m in sorted(milestones)]",
        "The milestone at step {r} is missed: the LR does not change there.",
        0.8,
    ),
    Cause(
        "warmup-twice",
        "the warmup is applied twice",
        "the warmup is squared: w(t)², right at its start and its end, too low between",
        "two schedulers both warm up: the trainer's and the script's, or a warmup in the lambda and around it",
        "keep one warmup",
        "The warmup is applied twice: during it every LR is w(t) times what it should be.",
        0.4,
    ),
)
