"""What the recorder hears during a run: steps, backward passes, schedulers and gradient scalers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from suite.engine.user_factory import optimizer_of

from .patches import BACKWARD, CONSTRUCTION, SCALER, SCHEDULER, Listener, Patch, being_built, untraced
from .steps.gradients import GradientCount
from .steps.lazy_numbers import capture
from .steps.live_scheduler import LiveScheduler, mark_parts
from .steps.step_hooks import add_step_hook, has_own_step, step_classes
from .steps.step_log import StepCall, StepLog, WatchedOptimizer, has_single, read_groups, updates_in_state


def innermost(optimizer: Any) -> Any:
    """The optimizer inside the wrappers of accelerate and other libraries."""
    while not hasattr(optimizer, "_optimizer_step_pre_hooks") and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer


def same_parameters(first: Optimizer, second: Optimizer) -> bool:
    """Whether two optimizers update the same parameters: one wraps the other, perhaps with its own copy of the groups.

    Two optimizers without parameters in their first group are the same only if they are one object.
    """
    ours, theirs = (optimizer.param_groups[0]["params"][:1] for optimizer in (first, second))
    return first is second or (bool(ours) and bool(theirs) and ours[0] is theirs[0])


class Listeners:
    """Fills a `StepLog` between `start` and `stop`."""

    def __init__(self, log: StepLog) -> None:
        self.log = log
        self._watched: WeakKeyDictionary[Optimizer, WatchedOptimizer] = WeakKeyDictionary()
        self._gradients: WeakKeyDictionary[Optimizer, GradientCount] = WeakKeyDictionary()
        self._running: list[tuple[Optimizer, StepCall]] = []
        self._undo: list[Callable[[], None]] = []
        self._backwards = 0
        self._live: dict[int, LiveScheduler] = {}  # by the id of the scheduler
        self._owners: dict[LiveScheduler, WatchedOptimizer] = {}
        self._inner_classes: dict[type[Any], None] = {}
        #: Steps that run without torch's hooks: those of base classes, and of optimizers built without them.
        self._inner_steps = Patch(self._inner_places)

    def start(self) -> None:
        """Subscribe to everything."""
        self._before_step, self._after_step = untraced(self._begin), untraced(self._end_of_body)
        self._undo.append(register_optimizer_step_pre_hook(untraced(self._meet)).remove)
        self._undo.append(register_optimizer_step_post_hook(untraced(self._end)).remove)
        heard: tuple[tuple[Patch, Listener], ...] = (
            (BACKWARD, self._on_backward),
            (SCALER, self._on_scaler),
            (SCHEDULER, self._on_scheduler),
            (CONSTRUCTION, self._on_construction),
            (self._inner_steps, self._on_inner_step),
        )
        for patch, listener in heard:
            patch.add(listener)
            self._undo.append(functools.partial(patch.remove, listener))

    def stop(self) -> None:
        """Unsubscribe, and convert what is pending."""
        for undo in self._undo:
            undo()
        self._undo = []
        self.log.flush()

    def _know(self, optimizer: Optimizer) -> WatchedOptimizer:
        watched = self._watched.get(optimizer)
        if watched is None:
            kind, known = type(optimizer).__name__, self.log.optimizers
            same = sum(other.name.partition("-")[0] == kind for other in known)
            watched = WatchedOptimizer(len(known), f"{kind}-{same + 1}" if same else kind)
            known.append(watched)
            self._watched[optimizer] = watched
            self._gradients.setdefault(optimizer, GradientCount())
            # The optimizer's own hooks run after the global ones and may set the LR, so ours is registered last.
            self._undo.append(add_step_hook(optimizer, self._before_step, before=True))
            if has_own_step(optimizer):
                self._undo.append(add_step_hook(optimizer, self._after_step, before=False))
                self._inner_classes.update(dict.fromkeys(step_classes(optimizer)))
                self._inner_steps.renew()
            SCHEDULER.renew()
            CONSTRUCTION.renew()
        return watched

    # -- optimizer steps ----------------------------------------------------------

    def _meet(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._know(optimizer)

    def _begin(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found_inf = getattr(optimizer, "found_inf", None)
        skipped = 0.0 if found_inf is None else capture(found_inf)
        watched = self._know(optimizer)
        call = StepCall(watched, read_groups(optimizer), skipped)
        call.moved_before = sum(watched.scheduler_steps.values())
        if watched.state_step is None:
            watched.state_step = updates_in_state(optimizer)
        self._running.append((optimizer, call))

    def _call_of(self, optimizer: Optimizer) -> StepCall | None:
        return next((call for other, call in reversed(self._running) if other is optimizer), None)

    def _end_of_body(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """After an overridden step, before its post hooks: an LR that it has set itself is the one it used."""
        call = self._call_of(optimizer)
        if call is not None and not call.sure and sum(call.watched.scheduler_steps.values()) == call.moved_before:
            call.numbers = read_groups(optimizer)

    def _on_inner_step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Callable[[], None] | None:
        call = self._call_of(optimizer)
        if call is not None:  # a subclass has called the step of its base class, which makes the update
            call.numbers, call.sure = read_groups(optimizer), True
            return None
        self._begin(optimizer, (optimizer, *args), kwargs)

        def after() -> None:
            self._end_of_body(optimizer, (optimizer, *args), kwargs)
            self._end(optimizer, (optimizer, *args), kwargs)

        return after

    def _end(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        running = self._running
        i = next((i for i in reversed(range(len(running))) if running[i][0] is optimizer), None)
        if i is None:  # the step started before the recorder
            return
        call = running[i][1]
        del running[i:]  # nested steps that have not ended were aborted by an exception
        if call.inner:
            return
        for other, outer in running:  # a subclass that calls its base class, a wrapper around the optimizer
            outer.inner |= same_parameters(other, optimizer)
        if len(args) > 1 or kwargs.get("closure") is not None:  # the closure ran inside the step and may set the LR
            call.numbers = read_groups(optimizer)
        call.watched.single = call.watched.single or has_single(optimizer)
        self._close(call, optimizer)

    def _close(self, call: StepCall, optimizer: Optimizer) -> None:
        watched, gradients = call.watched, self._gradients[optimizer]
        # An optimizer that was not known during its passes, or not reached, counts all passes of the process.
        everywhere, watched.backwards_before = self._backwards - watched.backwards_before, self._backwards
        call.backwards, gradients.passes = gradients.passes or everywhere, 0
        call.scheduler_steps = max(watched.scheduler_steps.values(), default=0)
        watched.scheduler_steps.clear()
        for live in watched.schedulers:
            if not live.is_part:
                at = live.look(watched.calls, self._live, watched.base_lrs)
                call.schedulers += 1
                if live is watched.scheduler:
                    call.scheduler_at, call.scheduler_length = at, live.length
        watched.calls += 1
        call.idle_schedulers = sum(
            len(other.schedulers) for other in self.log.optimizers if other.moved and not other.calls
        )
        self.log.add(call)

    def _inner_places(self) -> Iterator[tuple[Any, str]]:
        yield from ((cls, "step") for cls in self._inner_classes)

    # -- the rest -----------------------------------------------------------------

    def _on_backward(self, *args: Any, **kwargs: Any) -> Callable[[], None]:
        self._backwards += 1
        before = [(optimizer, count, count.look(optimizer)) for optimizer, count in self._gradients.items()]

        def after() -> None:
            for optimizer, count, gradients in before:
                count.add(optimizer, gradients, in_step=self._call_of(optimizer) is not None)

        return after

    def _on_construction(self, made: Any, *args: Any, **kwargs: Any) -> Callable[[], None]:
        loaded = False
        if not isinstance(made, Optimizer):  # a scheduler replaces the step of its optimizer: ours must be there before
            optimizer = innermost(args[0] if args else kwargs.get("optimizer"))
            if isinstance(optimizer, Optimizer):
                watched = self._know(optimizer)
                groups = optimizer.param_groups
                if not watched.schedulers and not any("initial_lr" in group for group in groups):
                    watched.base_lrs = watched.base_lrs or [float(capture(group["lr"])) for group in groups]
                loaded = not watched.schedulers and any(
                    group.get("initial_lr", group["lr"]) != group["lr"] for group in groups
                )

        def after() -> None:
            if isinstance(made, Optimizer):
                self._gradients.setdefault(made, GradientCount())
            else:
                self._has_built(made, args, kwargs, loaded)

        return after

    def _has_built(self, scheduler: Any, args: Any, kwargs: Any, loaded: bool) -> None:
        live, watched = self._meet_scheduler(scheduler)
        if live is not None and watched is not None:
            live.built(scheduler, args, kwargs)
            live.loaded = loaded
            live.built_lrs = [float(capture(group["lr"])) for group in optimizer_of(scheduler).param_groups]
            mark_parts(scheduler, self._live)
            watched.scheduler = live

    def _meet_scheduler(self, scheduler: Any) -> tuple[LiveScheduler | None, WatchedOptimizer | None]:
        live = self._live.get(id(scheduler))
        if live is not None and live.reference() is scheduler:
            return live, self._owners[live]
        optimizer = innermost(optimizer_of(scheduler))
        if not isinstance(optimizer, Optimizer):
            return None, None
        watched = self._know(optimizer)
        live = self._live[id(scheduler)] = LiveScheduler(scheduler, len(self._owners))
        self._owners[live] = watched
        watched.schedulers.append(live)
        mark_parts(scheduler, self._live)
        return live, watched

    def _on_scheduler(self, scheduler: Any, *args: Any, **kwargs: Any) -> None:
        live, watched = self._meet_scheduler(scheduler)
        if live is not None and watched is not None and not being_built(scheduler):
            live.moved(watched.calls, args, kwargs)
            watched.scheduler_steps[live.number] += 1
            watched.scheduler, watched.moved = live, True

    def _on_scaler(self, scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Callable[[], None]:
        inner = innermost(optimizer)
        watched = self._know(inner)
        before = watched.calls

        def after() -> None:
            if watched.calls == before:
                self._close(StepCall(watched, [], 1.0), inner)

        return after
