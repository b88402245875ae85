"""Five tests of the learning rate: the first is right, each of the others has one mistake to find."""

from __future__ import annotations

import sys

import training
from training import BASE_LR, TOTAL, WARMUP

import bench
import reference

PLAN = f"seq2_m{WARMUP}.linearlr{WARMUP}_s0p1.cosineannealinglr{TOTAL - WARMUP}"


def test_healthy(assert_lr_follows, assert_resumes, assert_total_steps):
    """The loop follows its plan, resumes, and has the right length; the names of this repository are its own."""
    assert bench.OWN == "their benchmarks"
    assert reference.OWN == "their reference"
    assert_lr_follows(training.train, PLAN, base_lr=BASE_LR)
    assert_lr_follows(training.train, training.make_scheduler, base_lr=BASE_LR)
    assert_resumes(training.make_run, training.train_steps, training.save, training.load, at=(5, 25), total=TOTAL)
    assert_total_steps(training.train, TOTAL)
    assert not {"suite", "bench.watch"} & set(sys.modules)


def test_one_step_late(assert_lr_follows):
    """The first update forgets the scheduler."""
    assert_lr_follows(lambda: training.train(late=1), PLAN, base_lr=BASE_LR)


def test_resumed_wrongly(assert_resumes):
    """The checkpoint's scheduler is not loaded."""
    assert_resumes(
        training.make_run, training.train_steps, training.save, training.load_forgetting, at=(25,), total=TOTAL
    )


def test_accumulation(assert_lr_follows):
    """The scheduler is stepped for each of four micro-batches."""
    assert_lr_follows(lambda: training.train_accumulating(4), PLAN, base_lr=BASE_LR)


def test_two_optimizers(assert_lr_follows):
    """The second optimizer's scheduler is never stepped."""
    assert_lr_follows(lambda: training.train_two(second=False), PLAN, base_lr=BASE_LR)
