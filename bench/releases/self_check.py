"""`python -m bench.releases.self_check RELEASE`, run in a release's environment: does its torch compute on this CPU?

Prints what it found as JSON, or ends with one line. Everything is compared with closed forms, in float64.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import torch
from torch import nn

#: The relative difference of a gradient from a central difference with step h = 1e-6: h² plus rounding, ε/h = 2e-10.
DIFFERENCE = 1e-7
#: Of a few hundred operations in float64: 100 ε.
ROUNDING = 2e-14
STEPS, BETAS, EPS, LR = 5, (0.9, 0.98), 1e-9, 1e-2


class Wrong(Exception):
    """A number differs; the text is the one line that says which."""


def close(name: str, found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Raise Wrong unless two arrays agree, relative to the largest value."""
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not error <= tolerance:
        raise Wrong(f"{name}: differs by {error:.2g} of its largest value, expected at most {tolerance:g}")


def passes() -> None:
    """A layer, a tanh and a squared error, forward and backward, against their formulas."""
    draw = np.random.default_rng(0)
    x, w, y = draw.standard_normal((5, 3)), draw.standard_normal((4, 3)), draw.standard_normal((5, 4))
    weight = torch.tensor(w, requires_grad=True)
    loss = ((torch.tanh(torch.tensor(x) @ weight.T) - torch.tensor(y)) ** 2).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    hidden = np.tanh(x @ w.T)
    close("forward pass", np.array(loss.item()), ((hidden - y) ** 2).sum(), ROUNDING)
    assert weight.grad is not None
    close("backward pass", weight.grad.numpy(), (2 * (hidden - y) * (1 - hidden**2)).T @ x, ROUNDING)


def transformer() -> None:
    """The gradient of an nn.Transformer against a central difference along one direction."""
    torch.manual_seed(0)
    model = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True, dtype=torch.float64)
    source, target = torch.randn(2, 3, 8, dtype=torch.float64), torch.randn(2, 4, 8, dtype=torch.float64)

    def loss() -> torch.Tensor:
        return torch.sin(model(source, target)).sum()

    loss().backward()  # type: ignore[no-untyped-call]
    parameters = list(model.parameters())
    along = [torch.randn_like(p) for p in parameters]
    slope = sum(float((p.grad * d).sum()) for p, d in zip(parameters, along, strict=True) if p.grad is not None)
    step, values = 1e-6, []
    with torch.no_grad():
        for sign in (1, -2):
            for p, d in zip(parameters, along, strict=True):
                p.add_(sign * step * d)
            values.append(float(loss()))
    close("Transformer", np.array(slope), np.array((values[0] - values[1]) / (2 * step)), DIFFERENCE)


def adam(fused: bool) -> None:
    """A few steps of Adam against its formula."""
    draw = np.random.default_rng(1)
    start, gradients = draw.standard_normal(33), draw.standard_normal((STEPS, 33))
    weight = nn.Parameter(torch.tensor(start))
    optimizer = torch.optim.Adam([weight], lr=LR, betas=BETAS, eps=EPS, fused=fused)
    expected, m, v = start.copy(), np.zeros(33), np.zeros(33)
    for t, gradient in enumerate(gradients, 1):
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        m, v = BETAS[0] * m + (1 - BETAS[0]) * gradient, BETAS[1] * v + (1 - BETAS[1]) * gradient**2
        expected -= LR * (m / (1 - BETAS[0] ** t)) / (np.sqrt(v / (1 - BETAS[1] ** t)) + EPS)
    close("fused Adam" if fused else "Adam", weight.detach().numpy(), expected, ROUNDING)


def has_fused() -> bool:
    """Whether this torch has a fused Adam for a CPU: since 2.4."""
    try:
        adam(fused=True)
    except RuntimeError as error:
        if "fused" not in str(error).lower():
            raise
        return False
    return True


def main(release: str) -> int:
    """Check everything and print the findings; 1 after the line of a wrong number."""
    found = torch.__version__.partition("+")[0]
    try:
        if found != release:
            raise Wrong(f"torch={found} must be {release} in its environment")
        if torch.cuda.is_available():
            raise Wrong("torch reports a GPU that was left out")
        passes()
        transformer()
        adam(fused=False)
        fused = has_fused()
    except Wrong as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"torch": torch.__version__, "numpy": np.__version__, "fused_adam": fused}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
