"""Networks that channels are taken out of, each with something that has to follow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

EXAMPLE = (1, 3, 8, 8)


def example(seed: int = 0) -> Tensor:
    return torch.randn(EXAMPLE, generator=torch.Generator().manual_seed(seed))


def settled(net: nn.Module, seed: int = 0) -> nn.Module:
    """``net`` with weights and statistics as after training: no two alike."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(0.2 + 0.3 * torch.rand(tensor.shape, generator=generator))
        for layer in net.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                layer.weight.sub_(0.35)
    return net


class Residual(nn.Module):
    """Normalised convolutions, a branch that is added, features that are flattened."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.branch, self.branch_norm = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.hidden, self.head = nn.Linear(width * 16, 9), nn.Linear(9, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = torch.relu(x + self.branch_norm(self.branch(x)))
        return self.head(torch.relu(self.hidden(nn.functional.max_pool2d(x, 2).flatten(1))))


class Depthwise(nn.Module):
    """Depthwise convolutions, one of which makes two channels of each, and one of two groups."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.depth = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.paired, self.up = nn.Conv2d(16, 12, 1, groups=2), nn.ConvTranspose2d(12, 12, 2, 2, groups=12)
        self.slope, self.head = nn.PReLU(12), nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.slope(self.up(self.paired(torch.relu(self.depth(self.expand(x)))))))


class Branches(nn.Module):
    """Channels that are put together and parted again, a transposed convolution, a scale of its own per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 6, 1)
        self.both, self.up = nn.Conv2d(14, 12, 3, padding=1), nn.ConvTranspose2d(6, 7, 2, 2)
        self.scale, self.head = nn.Parameter(torch.ones(7, 1, 1)), nn.Conv2d(7, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.both(torch.cat([self.left(x), self.right(x)], 1)).chunk(2, 1)
        return self.head(self.up(one * torch.sigmoid(other)) * self.scale)


class Normalised(nn.Module):
    """Normalisation over channels, of groups of them, and of every one by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.grouped = nn.Conv2d(3, 12, 1), nn.GroupNorm(3, 12)
        self.second, self.single = nn.Conv2d(12, 10, 1), nn.InstanceNorm2d(10, affine=True)
        self.third, self.last = nn.Conv2d(10, 8, 1), nn.LayerNorm(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.single(self.second(self.grouped(self.first(x))))
        return self.head(self.last(self.third(x).permute(0, 2, 3, 1)))


class Tied(nn.Module):
    """A convolution that is used twice, and one weight that two layers have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.again = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.one, self.other = nn.Conv2d(8, 6, 1), nn.Conv2d(8, 6, 1)
        self.other.weight = self.one.weight
        self.head = nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(torch.relu(self.again(self.stem(x))))
        return self.head(self.one(x) * self.other(x))


class Written(nn.Module):
    """Writes a number of channels down."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 1), Flat())
        self.head = nn.Linear(8 * 64, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class Flat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(1, 8 * 64)


class Masked(nn.Module):
    """Multiplies channels by values that are no parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x) * torch.arange(8.0).reshape(8, 1, 1))


class Swapped(nn.Module):
    """Picks channels by numbers that the code writes down, so that the shapes fit whatever goes."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(2, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)[:, [1, 3]])


class Bare(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "residual": Residual,
    "depthwise": Depthwise,
    "branches": Branches,
    "normalised": Normalised,
    "tied": Tied,
}
