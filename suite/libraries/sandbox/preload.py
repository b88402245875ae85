"""What the process that all sandboxes are forked from imports: torch, and what its first update imports."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer)
optimizer.step()
scheduler.step()
