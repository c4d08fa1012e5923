"""Small networks for PT2E quantization: a residual network, a perceptron, a block of MobileNet."""

from collections.abc import Callable
from typing import Any

Network = tuple[Any, tuple[int, ...]]
"""A module and the shape of one sample."""


def networks() -> dict[str, Callable[[], Network]]:
    """By name: a function that makes the module, and the shape of a sample."""
    return {"residual": residual, "perceptron": perceptron, "mobile": mobile}


def residual() -> Network:
    """A residual network: two blocks, the second with a strided shortcut."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(filters)
            self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(filters)
            self.short = nn.Conv2d(channels, filters, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x: Any) -> Any:
            y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
            return torch.relu(y + self.short(x))

    stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5))
    return nn.Sequential(stem, Block(8, 8, 1), Block(8, 16, 2), head), (3, 12, 12)


def perceptron() -> Network:
    """Three dense layers."""
    from torch import nn

    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 5)), (16,)


def mobile() -> Network:
    """An inverted residual block: expansion, depthwise convolution, projection, clipped activations."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.expand = nn.Sequential(nn.Conv2d(4, 12, 1), nn.BatchNorm2d(12), nn.ReLU6())
            self.depth = nn.Sequential(nn.Conv2d(12, 12, 3, padding=1, groups=12), nn.BatchNorm2d(12), nn.ReLU6())
            self.project = nn.Sequential(nn.Conv2d(12, 4, 1), nn.BatchNorm2d(4))
            self.head = nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            y = x + self.project(self.depth(self.expand(x)))
            return torch.sigmoid(self.head(y.mean((2, 3))))

    return Block(), (4, 8, 8)


def quantized(module: Any, shape: tuple[int, ...]) -> Any:
    """Quantize statically by PT2E: torchao's quantizer for x86, observers on drawn samples."""
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    example = (torch.randn(4, *shape),)
    program = torch.export.export(module, example, dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(program, quantizer)
    for _ in range(8):
        prepared(torch.randn(4, *shape))
    return convert_pt2e(prepared)
