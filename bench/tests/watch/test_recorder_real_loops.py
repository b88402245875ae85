"""Real loops of other libraries, right and wrong: the recorder accuses the wrong ones and no other.

They are installed by ``pip install '.[frameworks]'``; without a library its loops are skipped, with the reason.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, ReduceLROnPlateau

from bench.diagnose.plan import read_plan
from bench.tests.watch.test_recorder_frameworks import BATCHES, EPOCHS, data, need, train_with_trainer
from bench.watch import Recorder

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]  # the frameworks' own warnings
UPDATES = EPOCHS * BATCHES


def causes(recorder: Recorder) -> set[str]:
    """The causes that a recording names, told nothing; "" for a healthy trace."""
    found = recorder.diagnose()
    assert found
    assert {d.verdict for d in found} <= {"healthy", "fault"}
    return {d.best.cause if d.verdict == "fault" and d.best is not None else "" for d in found}


@need("lightning")
@pytest.mark.parametrize(
    ("manual", "length", "cause"),
    [(False, UPDATES, "per-epoch"), (False, EPOCHS, ""), (True, UPDATES, "never-stepped")],
)
def test_lightning(manual: bool, length: int, cause: str, tmp_path: Path) -> None:
    """A scheduler is stepped once per epoch unless its interval is set, and under manual optimization never."""
    import lightning  # type: ignore[import-not-found]

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Regression(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 1)
            self.automatic_optimization = not manual

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            loss = nn.functional.mse_loss(self.net(batch[0]), batch[1])
            if manual:
                optimizer = self.optimizers()
                optimizer.zero_grad()
                self.manual_backward(loss)
                optimizer.step()
            return loss

        def configure_optimizers(self) -> Any:
            optimizer = AdamW(self.parameters(), lr=0.1)
            return [optimizer], [CosineAnnealingLR(optimizer, length)]

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", default_root_dir=tmp_path, **quiet)
    with Recorder() as recorder:
        trainer.fit(Regression(), data())
    assert causes(recorder) == {cause}


@need("transformers")
@need("accelerate")
@pytest.mark.parametrize("twice", [False, True])
def test_trainer(twice: bool, tmp_path: Path) -> None:
    """The Trainer steps the scheduler; a callback that does so too makes the schedule twice as fast."""
    from transformers import TrainerCallback  # type: ignore[import-not-found]

    class Again(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            kwargs["lr_scheduler"].step()

    options = {"callbacks": lambda model: [Again()]} if twice else {}
    recorder = train_with_trainer(tmp_path, "cosine", **options)
    assert causes(recorder) == {"stepped-often" if twice else ""}


@need("ignite")
@pytest.mark.parametrize(("event", "cause"), [("ITERATION_COMPLETED", ""), ("EPOCH_COMPLETED", "per-epoch")])
def test_ignite(event: str, cause: str) -> None:
    """A torch scheduler that is attached to the event of its unit, or to another."""
    from ignite.engine import Engine, Events  # type: ignore[import-not-found]

    model = nn.Linear(4, 1)
    optimizer = SGD(model.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(optimizer, UPDATES)

    def update(engine: Any, batch: tuple[Tensor, Tensor]) -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(batch[0]), batch[1]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    engine = Engine(update)
    engine.add_event_handler(Events[event], lambda: scheduler.step())
    with Recorder() as recorder:
        engine.run(data(), max_epochs=EPOCHS)
    assert causes(recorder) == {cause}


def accumulated(accelerator: Any, model: Any, optimizer: Any, scheduler: Any, batches: Any) -> Recorder:
    """The training loop of accelerate's documentation under gradient accumulation, recorded."""
    with Recorder() as recorder:
        for _ in range(EPOCHS):
            for x, y in batches:
                with accelerator.accumulate(model):
                    accelerator.backward(nn.functional.mse_loss(model(x), y))
                    optimizer.step()
                    scheduler.step()
                    optimizer.zero_grad()
    return recorder


@need("accelerate")
@pytest.mark.parametrize("prepared", [True, False])
def test_accelerate_steps_a_prepared_scheduler_where_it_updates(prepared: bool) -> None:
    """Under gradient accumulation a scheduler that was not prepared is stepped for every micro-batch."""
    from accelerate import Accelerator  # type: ignore[import-not-found]

    accelerator = Accelerator(gradient_accumulation_steps=2, cpu=True)
    model: Any = nn.Linear(4, 1)
    optimizer: Any = AdamW(model.parameters(), lr=0.1)
    scheduler: Any = LinearLR(optimizer, 1.0, 0.0, total_iters=UPDATES // 2)
    batches: Any = data()
    model, optimizer, batches = accelerator.prepare(model, optimizer, batches)
    scheduler = accelerator.prepare(scheduler) if prepared else scheduler
    recorder = accumulated(accelerator, model, optimizer, scheduler, batches)
    assert causes(recorder) == {"" if prepared else "micro-batch"}


@need("accelerate")
@pytest.mark.parametrize(("length", "cause"), [(UPDATES // 2, ""), (UPDATES, "plan-decay-too-long")])
def test_the_scheduler_inside_an_accelerated_one_is_read(length: int, cause: str) -> None:
    """What was built is said, and a schedule that counts micro-batches is longer than the run."""
    from accelerate import Accelerator

    accelerator = Accelerator(gradient_accumulation_steps=2, cpu=True)
    model: Any = nn.Linear(4, 1)
    optimizer: Any = AdamW(model.parameters(), lr=0.1)
    parts: Any = accelerator.prepare(model, optimizer, data(), CosineAnnealingLR(optimizer, length))
    model, optimizer, batches, scheduler = parts
    recorder = accumulated(accelerator, model, optimizer, scheduler, batches)
    (series,) = recorder.planned()
    assert series.plan is not None
    assert series.plan.words == f"CosineAnnealingLR from 0.1 to 0 over {length} steps"
    assert causes(recorder) == {cause}
    assert read_plan(scheduler, UPDATES // 2).words.startswith("CosineAnnealingLR")


@need("lightning")
@pytest.mark.parametrize(("mode", "cause"), [("min", ""), ("max", "plan-wrong-mode")])
def test_a_plateau_of_lightning_is_read_with_its_metric(mode: str, cause: str, tmp_path: Path) -> None:
    """Lightning gives the monitored loss to ReduceLROnPlateau once per epoch."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Regression(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 1)
            self.epoch = 0

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def on_train_epoch_end(self) -> None:
            self.epoch += 1
            self.log("val_loss", 1.0 / self.epoch)

        def configure_optimizers(self) -> Any:
            optimizer = AdamW(self.parameters(), lr=0.1)
            scheduler = ReduceLROnPlateau(optimizer, mode, factor=0.5, patience=0)  # type: ignore[arg-type]
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = lightning.Trainer(max_epochs=EPOCHS + 2, accelerator="cpu", default_root_dir=tmp_path, **quiet)
    with Recorder() as recorder:
        trainer.fit(Regression(), data())
    assert causes(recorder) == {cause}
