"""The forward and backward pass in C, compiled at the first use, for float32 on a CPU.

Torch's pass calls about 2000 operations for a group of replicas, which read and write memory between them. Here one
replica goes through the whole model in one call, without Python's lock, while its activations are in the cache.
The rounding differs from that of torch's pass; a replica is as independent of the others.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bench.toy.config import Config
from bench.toy.task import VOCABULARY, Pairs, digits_needed

SOURCE = Path(__file__).with_name("passes.c")
#: The vectors of the machine at hand; sums keep the order in which they are written, so every call rounds alike.
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-std=gnu11", "-shared", "-fPIC")
#: The number of features of every layer must be a multiple of this: the longest vector.
LANES = 16
#: The only values of a configuration's fields that the pass knows.
KNOWN = {"task": "numbers", "qk_norm": False}

long, pointer = ctypes.c_long, ctypes.c_void_p


def compiler_version() -> str:
    """The first line that the C compiler prints about itself; `CC` names another one than cc.

    Raises ValueError if there is none.
    """
    compiler = os.environ.get("CC", "cc")
    try:
        done = subprocess.run([*shlex.split(compiler), "--version"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"CC={compiler} must be a C compiler for native=True: {error}") from error
    return done.stdout.partition("\n")[0]


@functools.cache
def library(digits: int, flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The compiled pass for numbers of this many digits, with more flags if given; `CC` names the compiler.

    Raises RuntimeError if there is no compiler, or if it fails.
    """
    compiler = os.environ.get("CC", "cc")
    sizes = (f"-DS={digits}", f"-DT={digits + 1}")
    with tempfile.TemporaryDirectory(prefix="warmup-bench-") as folder:
        result = Path(folder) / "passes.so"
        command = [*shlex.split(compiler), *FLAGS, *flags, *sizes, str(SOURCE), "-o", str(result), "-lm"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except OSError as error:
            raise RuntimeError(f"CC={compiler} must be a C compiler for native=True: {error.strerror}") from error
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or ["no message"]
            raise RuntimeError(f"CC={compiler} must compile {SOURCE.name} for native=True: {lines[0]}") from error
        return ctypes.CDLL(str(result))


def parameter_names(layers: int) -> Iterator[str]:
    """The parameters in the order in which passes.c expects them.

    >>> list(parameter_names(1))[5:8]
    ['transformer.encoder.layers.0.norm1.weight', 'transformer.encoder.layers.0.norm1.bias', \
'transformer.encoder.layers.0.linear1.weight']
    """
    attentions = {"encoder": ("self_attn",), "decoder": ("self_attn", "multihead_attn")}
    yield "embedding.weight"
    for side, names in attentions.items():
        for i in range(layers):
            blocks = [(f"{name}.in_proj_", f"{name}.out_proj.") for name in names]
            for j, pair in enumerate([*blocks, ("linear1.", "linear2.")], 1):
                for part in (*pair, f"norm{j}."):
                    yield from (f"transformer.{side}.layers.{i}.{part}{kind}" for kind in ("weight", "bias"))
    for part in ("transformer.encoder.norm", "transformer.decoder.norm", "output"):
        yield from (f"{part}.weight", f"{part}.bias")


class Native:
    """Losses, gradients and largest attention logits of any number of replicas.

    `positions` as the model has them, `names` and `sizes` of the parameters in a row as `Layout` has them.
    Raises ValueError for what the pass cannot do, and RuntimeError if it cannot be compiled.
    """

    def __init__(
        self, config: Config, positions: Tensor, names: Sequence[str], sizes: Sequence[int], flags: tuple[str, ...] = ()
    ) -> None:
        if config.feed_forward % LANES:
            raise ValueError(f"feed_forward={config.feed_forward} must be a multiple of {LANES} with native=True")
        if config.task != "numbers":
            raise ValueError(f"task={config.task} must be numbers with native=True")
        for name, needed in KNOWN.items():
            if getattr(config, name) != needed:
                raise ValueError(f"{name}={getattr(config, name)} must be {needed} with native=True")
        if positions.dtype != torch.float32:
            raise ValueError(f"dtype={positions.dtype} must be torch.float32 with native=True")
        if positions.device.type != "cpu":
            raise ValueError(f"device={positions.device} must be cpu with native=True")
        starts = dict(zip(names, torch.tensor([0, *sizes]).cumsum(0).tolist(), strict=False))
        ordered = list(parameter_names(config.layers))
        if sorted(ordered) != sorted(starts):
            raise ValueError(f"names={sorted(starts)} must be {sorted(ordered)}")
        self.config, self.positions, self.row = config, positions.contiguous(), sum(sizes)
        self.offsets = (long * len(ordered))(*(starts[name] for name in ordered))
        self.function = library(digits_needed(config.limit), flags).passes
        self.function.restype = long

    def __call__(self, rows: Tensor, gradient: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """Write the gradients [n, P] of rows [n, P]; return losses [n], the gradients and the largest logits [n].

        The batch of `pairs`, its second axis, must be a multiple of `LANES`.
        """
        config, batch = self.config, pairs.source.shape[1]
        for name, value in (("rows", rows), ("gradient", gradient)):
            if value.shape != (len(rows), self.row) or value.stride() != (self.row, 1):
                raise ValueError(f"{name}={list(value.shape)} must be contiguous rows of {self.row} numbers")
        if batch % LANES:
            raise ValueError(f"batch={batch} must be a multiple of {LANES}")
        sizes = (config.d_model, config.heads, config.feed_forward, config.layers, batch, len(VOCABULARY))
        losses, peaks = rows.new_empty(len(rows)), rows.new_empty(len(rows))
        tensors = (pairs.source.contiguous(), pairs.target.contiguous(), losses, peaks)
        fixed = ((long * 7)(*sizes, config.norm_first), self.offsets, pointer(self.positions.data_ptr()))
        data = (long(len(rows)), pointer(rows.data_ptr()), pointer(gradient.data_ptr()), long(self.row))
        arguments = (*fixed, *data, *(pointer(each.data_ptr()) for each in tensors))
        room = self.function(*arguments, None, long(0))
        arena = torch.empty(room)
        self.function(*arguments, pointer(arena.data_ptr()), long(room))
        return losses, gradient, peaks
