"""The layers of the model for K replicas at once, each with its backward function.

A layer returns its output and a function from the output's gradient to the input's, which also stores
the gradients of the layer's weights. The backward pass is written by hand so that each gradient is written once,
directly into the replica's row, with nothing saved or copied that autograd would need in general.
N = n·B is the number of tokens; position n comes before number B.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

#: Parameters by their name in the model, each [K, *shape].
Weights = Mapping[str, Tensor]
#: From the gradient of a layer's output to that of its input.
Back = Callable[[Tensor], Tensor]
EVERYTHING = slice(None)
#: From this size of the result on, one matrix product call per replica pays off, as it saves a copy.
LARGE = 4096


def mean_of_features(x: Tensor, y: Tensor | None = None) -> Tensor:
    """The mean of x, or of x·y, over the first axis, added up one by one: [C, n, L] → [n, L]."""
    total = x[0].clone() if y is None else x[0] * y[0]
    for c in range(1, len(x)):
        if y is None:
            total.add_(x[c])
        else:
            total.addcmul_(x[c], y[c])
    return total.div_(len(x))


class Model:
    """Weights and the buffers of their gradients, by name, each [K, *shape]."""

    def __init__(self, weights: Weights, gradients: Weights) -> None:
        self.weights, self.gradients = weights, gradients

    def put(self, name: str, part: slice, value: Tensor) -> None:
        """Store a gradient [K, *shape] for a part of the first axis of a parameter."""
        self.gradients[name][:, part].copy_(value)

    def put_product(self, name: str, part: slice, left: Tensor, right: Tensor) -> None:
        """Store the product of [K, o, N] and [K, N, i] as a gradient."""
        target = self.gradients[name][:, part]
        if target.device.type != "cpu":
            torch.bmm(left, right, out=target)  # a GPU's batched product writes rows that are apart
        elif target[0].numel() < LARGE:
            target.copy_(torch.bmm(left, right))
        else:
            for left_k, right_k, out in zip(left.unbind(), right.unbind(), target.unbind(), strict=True):
                torch.mm(left_k, right_k, out=out)

    def linear(
        self,
        x: Tensor,
        weight: str,
        bias: str,
        part: slice | None = None,
        *,
        from_columns: bool = False,
        to_columns: bool = False,
    ) -> tuple[Tensor, Back]:
        """x·Wᵀ + b for each replica, with the rows `part` of W and b: [K, N, i] → [K, N, o].

        `from_columns`, `to_columns`: the input or the output is stored feature by feature.
        """
        part = EVERYTHING if part is None else part  # torch 2.11 cannot compile a slice as a default
        w, b = self.weights[weight][:, part], self.weights[bias][:, part]
        y = torch.baddbmm(b[:, :, None], w, x.mT).mT if to_columns else torch.baddbmm(b[:, None], x, w.mT)

        def back(dy: Tensor) -> Tensor:
            self.put(bias, part, dy.sum(1))
            self.put_product(weight, part, dy.mT, x)
            return torch.bmm(w.mT, dy.mT).mT if from_columns else torch.bmm(dy, w)

        return y, back

    def norm(self, x: Tensor, name: str) -> tuple[Tensor, Back]:
        """LayerNorm over the features: [K, N, d] → [K, N, d]."""
        shape = x.shape[-1:]
        plain, mean, scale = torch.native_layer_norm(x, shape, None, None, 1e-5)
        weight = self.weights[f"{name}.weight"][:, None]
        y = torch.addcmul(self.weights[f"{name}.bias"][:, None], plain, weight)

        def back(dy: Tensor) -> Tensor:
            self.put(f"{name}.bias", EVERYTHING, dy.sum(1))
            self.put(f"{name}.weight", EVERYTHING, plain.mul_(dy).sum(1))
            only = [True, False, False]
            scaled = dy * weight
            dx: Tensor = torch.ops.aten.native_layer_norm_backward(scaled, x, shape, mean, scale, None, None, only)[0]
            return dx

        return y, back

    def norm_heads(self, x: Tensor, name: str) -> tuple[Tensor, Back]:
        """LayerNorm over the features of each head, without a bias: lanes [C, n, K·h·B] → the same shape."""
        weight = self.weights[f"{name}.weight"].mT[:, None, :, None]  # [C, 1, K, 1]
        features, apart = len(x), (*x.shape[:2], weight.shape[2], -1)
        centred = x - mean_of_features(x)
        scale = mean_of_features(centred, centred).add_(1e-5).rsqrt_()
        plain = centred.mul_(scale)
        y = (plain.view(apart) * weight).view(x.shape)

        def back(dy: Tensor) -> Tensor:
            # Two sums, the second one over a copy: the order of additions is then the same for every K.
            per_position = (dy * plain).view(apart).sum(3)
            self.put(f"{name}.weight", EVERYTHING, per_position.permute(2, 0, 1).contiguous().sum(2))
            scaled = (dy.reshape(apart) * weight).view(features, *x.shape[1:])
            along = mean_of_features(scaled, plain)
            return scaled.sub_(mean_of_features(scaled)).sub_(plain * along).mul_(scale)

        return y, back

    def hidden(self, x: Tensor, name: str) -> tuple[Tensor, Back]:
        """The feed-forward block: [K, N, d] → [K, N, d]."""
        inner, first_back = self.linear(x, f"{name}.linear1.weight", f"{name}.linear1.bias")
        inner.relu_()
        y, second_back = self.linear(inner, f"{name}.linear2.weight", f"{name}.linear2.bias")

        def back(dy: Tensor) -> Tensor:
            d_inner = second_back(dy)
            torch.ops.aten.threshold_backward.grad_input(d_inner, inner, 0, grad_input=d_inner)
            return first_back(d_inner)

        return y, back
