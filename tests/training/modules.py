"""Small modules with something to get wrong each."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

IMAGE = (1, 3, 8, 8)


def image(seed: int = 0) -> Tensor:
    return torch.randn(IMAGE, generator=torch.Generator().manual_seed(seed))


class Counting(nn.Module):
    """Takes and returns nested things, has a buffer that ``forward`` changes and a dropout that draws."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor, *, scale: dict[str, Any], flag: bool = True) -> dict[str, Any]:
        self.calls += 1
        y = self.drop(self.norm(self.conv(x))) * scale["k"][0]
        return {"features": y, "x": y.mean((2, 3)), "rest": [y + 1, None, y - 1]} if flag else {"features": y}


class Drawing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x)


class Unexportable(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.svd(x)[1]


class Misshapen(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(7, -1)


class Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(x, x, x)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x


SUMMED = "return torch.cumsum(self.act(x), 1)"


class Summed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cumsum(self.act(x), 1)


class Twice(nn.Module):
    """The same line of code in two sub-modules."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(Summed(), Summed())

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + 1


def around(inner: nn.Module) -> nn.Module:
    """``inner`` at path ``1.1``."""
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU(), inner))


def scripted() -> nn.Module:
    """A TorchScript module, which torch advises against."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: nn.Module = torch.jit.script(nn.ReLU())
        return made
