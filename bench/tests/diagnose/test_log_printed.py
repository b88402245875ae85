"""Printed lines of training scripts, in the forms of public logs, give the steps and learning rates that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.diagnose.log.axis import Units
from bench.diagnose.log.printed_log import is_printed
from bench.diagnose.log.read_log import read_log

#: One line each, with the step at {i} and the LR at {lr}: what the library prints for an update.
LINES = {
    "megatron": " iteration  {i:6}/  250000 | consumed samples:  124928 | elapsed time per iteration (ms): 865.2 |"
    " learning rate: {lr:.6E} | global batch size:  1024 | lm loss: 2.504220E+00 | loss scale: 1.0 |",
    "fairseq": "2020-07-17 07:11:02 | INFO | train_inner | epoch 001:   7 / 160368 loss=9.255, ups=0.04, bsz=80,"
    " num_updates={i}, lr={lr}, gnorm=3.23, train_wall=13, wall=1236",
    "fairseq_json": '2021-05-01 10:00:00 | INFO | train_inner | {{"epoch": 1, "update": 0.01, "loss": "12.3",'
    ' "num_updates": "{i}", "lr": "{lr}"}}',
    "mmengine": "2023/03/25 23:58:44 - mmengine - INFO - Iter(train) [{i:6}/160000]  base_lr: 2.0000e-01 lr: {lr:.4e}"
    "  eta: 12:14:32  time: 0.7842",
    "deepspeed": "[2022-03-11 02:06:58,985] [INFO] [logging.py:69:log_dist] [Rank 0] step={i}, skipped=2, lr=[{lr}],"
    " mom=[[0.9, 0.999]]",
    "detectron2": "[02/10 19:02:12 d2.utils.events]:  eta: 2:10:00  iter: {i}  total_loss: 2.1  time: 0.3021"
    "  lr: {lr:.5g}  max_mem: 2341M",
    "nanogpt": "step {i:5d} | loss: 4.675732 | lr {lr:.4e} | norm: 1.2345 | dt: 92.11ms | tok/sec: 178000.12",
    "llmc": "step {i:4}/19560 | loss 10.98 (+nanz)| norm 15.3 (+nanz)| lr {lr:.2e} | 3000.0 ms | 170000 tok/s",
    "torchtitan": "[rank0]:[titan] 2026-05-18 16:04:46,338 - root - INFO - \x1b[31mstep: {i:2}  \x1b[32mloss:  3.2"
    "  \x1b[38;2;180;60;0mgrad_norm:  0.8  \x1b[35mlr: {lr:.2e}  tps: 7,282\x1b[39m",
    "torchtune": "Step {i} | loss:1.50 lr:{lr} tokens_per_second_per_gpu:300.1 ",
    "opennmt": "[2020-01-02 12:00:00,123 INFO] Step {i}/100000; acc:   3.49; ppl: 94.2; lr: {lr:.5f}; 60 sec",
    "caffe": "I0907 13:57:09.036082  1494 solver.cpp:464] Iteration {i}, lr = {lr}",
    "bigdl": "[Epoch 5 864/1024][Iteration {i}][Wall Clock 5.07s] Loss is 9.9E-5. Current learning rate is {lr}.",
    "paddle": "[2022/01/01 12:00:00] ppocr INFO: epoch: [1/500], global_step: {i}, lr: {lr}, loss: 4.1, ips: 40.1",
    "tensor": "step: {i} lr: tensor({lr}) loss: tensor(2.31, grad_fn=<MeanBackward0>)",
    "composer": "[batch={i}/100]:\n\t Train time/epoch: 0\n\t Train loss/train/total: 10.9\n"
    "\t Train lr-DecoupledAdamW/group0: {lr}",
    "olmo": "INFO\t[step={i}/739328,epoch=0]\n    train/CrossEntropyLoss=10.9\n    optim/learning_rate_group0={lr}",
    "bar": "\rSteps:   1%|          | {i}/10000 [01:00<12:00,  2.00it/s, lr={lr}, step_loss=0.0912]",
    "settings_first": "step {i} lr {lr}",
}
#: Lines that a script prints before it trains: a setting is no update.
FIRST = "Namespace(lr=[0.5], lr_scheduler='cosine', min_lr=1e-09)\n  lr .......... 0.00015\n"


def read(folder: Path, text: str, **units: int) -> dict[str, tuple[list[int], list[float]]]:
    """The steps and LRs of a text, by the name of their column."""
    path = folder / "train.log"
    path.write_bytes(text.encode())
    log = read_log(path, units=Units(**units))
    return {trace.name: ((trace.steps + log.first_step).tolist(), trace.lrs.tolist()) for trace in log.traces}


@pytest.mark.parametrize("name", LINES)
def test_printed_lines_are_read(name: str, tmp_path: Path) -> None:
    """Each library's lines give the step and the LR of every update, under one name."""
    first = FIRST if name == "settings_first" else "starting\n"
    rows = [(10, 0.001), (20, 0.0005), (30, 0.00025)]
    (series,) = read(tmp_path, first + "".join(LINES[name].format(i=i, lr=lr) + "\n" for i, lr in rows)).values()
    assert series == ([10, 20, 30], [0.001, 0.0005, 0.00025])


#: Lines that count batches in their epoch, {e} and {i}, whether the first epoch is 0, and the length of an epoch.
BATCHES = {
    "fairseq_old": ("| epoch {e:03d}  {i} / 100 loss=1.27 (1.50), wps=962, bsz=32, lr={lr}, gnorm=2.1427", 1),
    "mmdet": ("2020-05-08 18:56:16,649 - mmdet - INFO - Epoch [{e}][{i}/100]\tlr: {lr}, eta: 1 day, 4:33:09", 1),
    "mmengine": ("mmengine - INFO - Epoch(train)   [{e}][{i:4}/100]  base_lr: 2e-03 lr: {lr:.4e}  eta: 12:14:32", 1),
    "yolox": ("yolox.core.trainer:252 - epoch: {e}/300, iter: {i}/100, mem: 5203Mb, lr: {lr:.3e}, size: 640", 1),
    "swin": ("(main.py 226): INFO Train: [{e}/300][{i}/100]\teta 0:10:52 lr {lr:.6f}\ttime 0.64 (0.65)", 0),
    "dino": ("Epoch: [{e}/100]  [{i}/100]  eta: 0:02:44  loss: 5.38 (7.54)  lr: {lr:.6f} (0.00004)  wd: 0.04", 0),
    "timm": ("Train: {e} [{i:4}/100 ( 40%)]  Loss: 6.93 (6.93)  Time: 1.203s,  212.8/s  LR: {lr:.3e}  Data: 0.3", 0),
}


@pytest.mark.parametrize("name", BATCHES)
def test_batches_of_an_epoch_become_steps(name: str, tmp_path: Path) -> None:
    """A batch that starts again with every epoch is counted on, whichever number the first epoch has."""
    line, first = BATCHES[name]
    rows = [(0, 40, 0.001), (0, 90, 0.002), (1, 40, 0.003)]
    text = "".join(line.format(e=epoch + first, i=batch, lr=lr) + "\n" for epoch, batch, lr in rows)
    (series,) = read(tmp_path, text).values()
    assert series == ([40, 90, 140], [0.001, 0.002, 0.003])


def test_an_epoch_of_unknown_length_is_asked_for(tmp_path: Path) -> None:
    """Without a length the line that starts again is named, with the option; with it the steps are counted on."""
    rows = [(1, 0, 0.001), (1, 50, 0.002), (2, 0, 0.003)]
    text = "".join(f"Epoch {e}, batch {i}, loss[loss=1.2], batch size: 70, lr: {lr}\n" for e, i, lr in rows)
    with pytest.raises(ValueError, match=r"^batch=0 in line 3 must be >= 50.*--steps-per-epoch$"):
        read(tmp_path, text)
    assert read(tmp_path, text, steps_per_epoch=60) == {"lr": ([0, 50, 60], [0.001, 0.002, 0.003])}


DICTS = "".join(
    f" {i}%|████  | {i * 5}/50 [22:24<43:01,  4.21s/it]\r{{'loss': 1.0, 'grad_norm': nan, 'learning_rate': {lr},"
    f" 'epoch': {i / 2}}}\n[INFO] [axolotl.utils.dataloader] efficiency: 0.77\n"
    for i, lr in ((1, 1e-5), (2, 2e-5), (3, 3e-5))
)


def test_printed_dicts_of_a_trainer_are_read(tmp_path: Path) -> None:
    """They name an epoch and no step: the rows are numbered, or the epochs become steps; evaluations are left out."""
    text = DICTS + "{'eval_loss': 1.36, 'epoch': 1.5}\n{'train_runtime': 9.1, 'train_loss': 1.1, 'epoch': 1.5}\n"
    assert read(tmp_path, text) == {"learning_rate": ([0, 1, 2], [1e-5, 2e-5, 3e-5])}
    assert read(tmp_path, text, steps_per_epoch=10) == {"learning_rate": ([5, 10, 15], [1e-5, 2e-5, 3e-5])}


def test_several_groups_in_a_line_are_several_traces(tmp_path: Path) -> None:
    """A list of LRs, and the lines that torch's schedulers print for each group, give a trace for each."""
    listed = read(tmp_path, "".join(f"step={i}, lr=[{i}e-5, {i}e-4], mom=[0.9]\n" for i in (1, 2, 3)))
    assert listed == {"lr group 0": ([1, 2, 3], [1e-5, 2e-5, 3e-5]), "lr group 1": ([1, 2, 3], [1e-4, 2e-4, 3e-4])}
    verbose = "".join(
        f"Epoch {i:5d}: adjusting learning rate of group {group} to {i * 10.0**-group:.4e}.\n"
        for i in (1, 2, 3)
        for group in (0, 1)
    )
    assert read(tmp_path, "Adjusting learning rate of group 0 to 9.0000e+00.\n" + verbose) == {
        "lr group 0": ([1, 2, 3], [1.0, 2.0, 3.0]),
        "lr group 1": ([1, 2, 3], [0.1, 0.2, 0.3]),
    }


@pytest.mark.parametrize(
    "text",
    [
        "step,lr\n1,0.1\n2,0.2\n",
        '"Step","lr=0.001 run - train/learning_rate"\n"1","0.1"\n',
        "step\tlr\n1\t0.1\n",
        "# lr 0.1\nstep lr\n1 0.1\n",
        "step color 3\ncolor 5\n",
        "step 1 lr_decay: 0.1\nstep 2 min_lr: 0.1\n",
    ],
)
def test_tables_and_settings_are_not_printed_learning_rates(text: str) -> None:
    """Headers, remarks, words that end in lr and settings of a schedule do not make a text a printed log."""
    assert not is_printed(text)


def test_lines_without_a_learning_rate_are_refused(tmp_path: Path) -> None:
    """A printed log of a loss is not a table of numbers: the message says what is missing."""
    with pytest.raises(ValueError, match=r"^trace=.* must name a learning rate"):
        read(tmp_path, "step 1 loss 2.31 acc 0.5\nstep 2 loss 2.30 acc 0.5\n")
