"""Causes that lie in torch's own schedulers: what they do to a composition against their documentation."""

from __future__ import annotations

from .cause import Cause

_LIKE = "the trace is the one that the installed torch makes of this composition, not the documented one"
_SENTENCE = "This is what torch makes of the composition, against its documentation: "

TORCH_CAUSES = (
    Cause(
        "torch-sequential-in-chain",
        "a SequentialLR inside a chain discards what the others did",
        _LIKE,
        "SequentialLR resets the LR to the base LR when it is built and at each milestone",
        "put the chain inside the phases, or write the product as one LambdaLR",
        _SENTENCE + "a SequentialLR inside a chain resets the LR at each milestone.",
        0.2,
    ),
    Cause(
        "torch-chain-first",
        "a chain as first phase is stepped once too often",
        _LIKE,
        "the outer SequentialLR steps the chain once more while it is built",
        "write the first phase as one LambdaLR",
        _SENTENCE + "a ChainedScheduler as first phase is one step ahead from the start.",
        0.2,
    ),
    Cause(
        "torch-cycle-base",
        "OneCycleLR or CyclicLR replaces the base LR of the other parts",
        _LIKE,
        "both overwrite initial_lr, from which the other parts start",
        "let the cycle do its own warmup, or write it as a LambdaLR",
        _SENTENCE + "OneCycleLR and CyclicLR overwrite the base LR of the parts beside them.",
        0.2,
    ),
    Cause(
        "torch-swalr-continues",
        "SWALR as a later phase anneals from the LR before it",
        _LIKE,
        "SWALR does not restart from the base LR",
        "anneal with LambdaLR, or accept the continuation",
        _SENTENCE + "SWALR goes on from the last LR of the phase before.",
        0.2,
    ),
    Cause(
        "torch-swalr-goal",
        "two SWALRs on one optimizer share one goal",
        _LIKE,
        "the goal is kept in the parameter group, and the SWALR that is built last sets it",
        "use one SWALR, or LambdaLR for the other annealing",
        _SENTENCE + "both SWALRs anneal to the goal of the one that was built last.",
        0.2,
    ),
    Cause(
        "torch-composite-later",
        "a composite as a later phase does not start again",
        _LIKE,
        "SequentialLR cannot restart a SequentialLR or a ChainedScheduler at its milestone",
        "flatten nested SequentialLRs; write a chained later phase as one LambdaLR",
        _SENTENCE + "a composite cannot be restarted as a later phase.",
        0.2,
    ),
    Cause(
        "torch-empty-rise",
        "a cycle whose rise or fall has no step",
        _LIKE,
        "pct_start·total_steps leaves a phase of OneCycleLR (or CyclicLR) without a step",
        "choose pct_start so that each phase has a step",
        _SENTENCE + "a phase of the cycle has no step.",
        0.2,
    ),
    Cause(
        "torch-built-backwards",
        "the parts of a chain were built last to first",
        "the first LR is that of the part that was built last, the others are right",
        "each part sets the LR when it is built",
        "build the parts in the order of the list",
        "The parts of the chain were built in another order than they stand in, which changes the first LR.",
        0.9,
    ),
    Cause(
        "torch-last-epoch",
        "the run was brought back with last_epoch",
        "from the restart on the LR is off, as torch's last_epoch leaves it",
        "last_epoch=N does not bring back the place of SequentialLR, StepLR, SWALR and others",
        "restore with load_state_dict, not with last_epoch",
        "At step {r} the run was brought back with last_epoch, which loses the place of the schedule.",
        1.2,
    ),
    Cause(
        "torch-restore-order",
        "states were restored in the wrong order",
        "from the restart on the LR is off: mostly, every later LR is scaled by the warmup's start factor",
        "the optimizer's state was loaded before the scheduler was built, which rewrites the loaded LR",
        "build optimizer and scheduler first, then load the optimizer's state, then the scheduler's",
        "At step {r} the run was restored in the wrong order: the optimizer's state was loaded before the scheduler "
        "was built, which rewrote the LR.",
        1.1,
        "resume-scaled",
        "the constant factor after resuming is what this order leaves; one names the effect that was fitted, "
        "the other the run of torch that gives the very numbers",
    ),
    Cause(
        "torch-step-epoch",
        "step(epoch) jumps wrongly",
        "from the jump on the LR is not that of the epoch",
        "MultiplicativeLR, SWALR and CosineAnnealingWarmRestarts do not follow step(epoch)",
        "call step() as often as needed, without an argument",
        "The scheduler was told an epoch at step {r}, and does not take it as documented.",
        0.6,
    ),
    Cause(
        "torch-other",
        "torch does something else with this composition",
        _LIKE,
        "a deviation of torch that has no name here",
        "write the schedule as one LambdaLR",
        _SENTENCE + "the deviation has no name here; `python -m suite check` lists the known ones.",
        0.3,
    ),
)
