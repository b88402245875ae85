"""The recorder on the training loops of other libraries: Lightning, accelerate, transformers' Trainer.

Each trains a tiny model on the CPU with two micro-batches per step; the schedule advances once per step or once per
epoch. The recorder must find the trace that the schedule has by definition.
The frameworks are optional: the tests of one that is not installed are skipped.
"""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LinearLR
from torch.utils.data import DataLoader, TensorDataset

import reference as ref
from bench.watch import Recorder

pytestmark = [pytest.mark.filterwarnings("ignore")]  # the frameworks' own

EPOCHS, BATCHES, ACCUMULATED = 3, 8, 2
STEPS = EPOCHS * BATCHES // ACCUMULATED
PEAK = 0.1
WARMUP = ref.LinearLR(0.1, total_iters=5)
CLOCKS = {"step": WARMUP, "epoch": ref.per_epoch(WARMUP, BATCHES // ACCUMULATED)}


def need(package: str) -> pytest.MarkDecorator:
    """Skip the test, with the reason, unless a package is installed."""
    spec = importlib.util.find_spec(package)
    return pytest.mark.skipif(spec is None, reason=f"{package} is not installed")


def data() -> DataLoader[tuple[Tensor, ...]]:
    """Eight batches of four numbers."""
    torch.manual_seed(0)
    return DataLoader(TensorDataset(torch.randn(4 * BATCHES, 4), torch.randn(4 * BATCHES, 1)), batch_size=4)


def warmup(optimizer: Optimizer) -> LinearLR:
    """The torch scheduler whose twin is `WARMUP`."""
    return LinearLR(optimizer, 0.1, total_iters=5)


def check(recorder: Recorder, expected: ref.Schedule, clock: str) -> None:
    """Check that every update was recorded once, at the schedule's LR, with its micro-batches and scheduler steps."""
    recorder.assert_follows(expected, base_lr=PEAK)
    rows = [row for row in recorder.log.rows() if row.group == 0]
    assert [row.step for row in rows] == list(range(STEPS))
    assert {row.optimizer for row in rows} == {"AdamW"}
    assert [row.backwards for row in rows] == [ACCUMULATED] * STEPS
    every = 1 if clock == "step" else BATCHES // ACCUMULATED
    assert [row.scheduler_steps for row in rows] == [int(step > 0 and step % every == 0) for step in range(STEPS)]


@need("lightning")
@pytest.mark.parametrize("clock", CLOCKS)
def test_lightning(clock: str, tmp_path: Path) -> None:
    """Lightning runs the whole training step in a closure inside the optimizer's step."""
    import lightning  # type: ignore[import-not-found]

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Regression(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 1)

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> dict[str, Any]:
            optimizer = AdamW(self.parameters(), lr=PEAK)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": warmup(optimizer), "interval": clock}}

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accumulate_grad_batches=ACCUMULATED,
        accelerator="cpu",
        default_root_dir=tmp_path,
        **quiet,
    )
    with Recorder() as recorder:
        trainer.fit(Regression(), data())
    check(recorder, CLOCKS[clock], clock)


@need("accelerate")
@pytest.mark.parametrize("clock", CLOCKS)
def test_accelerate(clock: str) -> None:
    """accelerate wraps the optimizer and the scheduler, and skips both while gradients accumulate."""
    from accelerate import Accelerator  # type: ignore[import-not-found]

    accelerator = Accelerator(gradient_accumulation_steps=ACCUMULATED, cpu=True)
    model: Any = nn.Linear(4, 1)
    optimizer: Any = AdamW(model.parameters(), lr=PEAK)
    scheduler: Any = warmup(optimizer)
    batches: Any = data()
    model, optimizer, batches, scheduler = accelerator.prepare(model, optimizer, batches, scheduler)
    with Recorder() as recorder:
        for _ in range(EPOCHS):
            for x, y in batches:
                with accelerator.accumulate(model):
                    accelerator.backward(nn.functional.mse_loss(model(x), y))
                    optimizer.step()
                    if clock == "step":
                        scheduler.step()
                    optimizer.zero_grad()
            if clock == "epoch":
                scheduler.step()
    check(recorder, CLOCKS[clock], clock)


#: The Trainer's own schedules warm up from 0 and end at 0.
TRAINER = {
    "linear": ref.parse(f"linear4+lineardecay{STEPS - 4}"),
    "cosine": ref.parse(f"linear4+cosine{STEPS - 4}"),
}


def train_with_trainer(folder: Path, name: str = "linear", **options: Any) -> Recorder:
    """Train a tiny GPT-2 with the Trainer; `options` are passed to it."""
    from transformers import (  # type: ignore[import-not-found]
        GPT2Config,
        GPT2LMHeadModel,
        Trainer,
        TrainingArguments,
    )

    config = GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config)
    torch.manual_seed(0)
    tokens = torch.randint(16, (4 * BATCHES, 8))
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=4,
        gradient_accumulation_steps=ACCUMULATED,
        num_train_epochs=EPOCHS,
        learning_rate=PEAK,
        warmup_steps=4,
        lr_scheduler_type=name,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    rows: Any = [{"input_ids": row, "labels": row} for row in tokens]
    made = {key: make(model) for key, make in options.items()}
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, **made)
    with Recorder() as recorder:
        trainer.train()
    return recorder


@need("transformers")
@need("accelerate")
@pytest.mark.parametrize("name", TRAINER)
def test_trainer_with_its_own_schedules(name: str, tmp_path: Path) -> None:
    """The Trainer makes two groups, with and without weight decay, that share one per-step schedule."""
    recorder = train_with_trainer(tmp_path, name)
    check(recorder, TRAINER[name], "step")
    assert [series.group for series in recorder.series()] == [0, 1]


@need("transformers")
@need("accelerate")
def test_trainer_with_a_schedule_in_epochs(tmp_path: Path) -> None:
    """A custom scheduler that ignores per-step calls and is advanced by a callback after each epoch."""
    from transformers import TrainerCallback

    class PerEpoch(LinearLR):
        def step(self, epoch: int | None = None) -> None:
            if epoch is not None or self._step_count == 0:
                super().step()

    class AfterEpoch(TrainerCallback):  # type: ignore[misc]
        def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
            LinearLR.step(kwargs["lr_scheduler"])

    def pair(model: nn.Module) -> tuple[Optimizer, LinearLR]:
        optimizer = AdamW(model.parameters(), lr=PEAK)
        return optimizer, PerEpoch(optimizer, 0.1, total_iters=5)

    recorder = train_with_trainer(tmp_path, optimizers=pair, callbacks=lambda model: [AfterEpoch()])
    recorder.assert_follows(CLOCKS["epoch"], base_lr=PEAK)
    assert [row.backwards for row in recorder.log.rows()] == [ACCUMULATED] * STEPS
