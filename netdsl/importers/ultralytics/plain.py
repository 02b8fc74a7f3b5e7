"""PyTorch's own layers, as files name them."""

from __future__ import annotations

from netdsl.importers.frontend import refused
from netdsl.importers.program import Path, Value
from netdsl.importers.ultralytics.basic import Net, Size


def upsample(
    d: Net, path: Path, x: Value, size: None = None, scale: int | None = None, mode: str = "nearest"
) -> Value:
    """A larger map."""
    if scale is None or scale < 1:
        raise refused("nn.Upsample takes `[None, scale, mode]`", d.origin)
    if mode not in ("nearest", "bilinear"):
        raise refused(f"nn.Upsample is read with nearest and bilinear, not `{mode[:40]}`", d.origin)
    return d.call("upsample", x, path=path, scale=scale, mode=mode)


def max_pool(
    d: Net, path: Path, x: Value, kernel: Size, stride: Size | None = None, padding: Size = 0
) -> Value:
    step = kernel if stride is None else stride
    return d.call("maxpool", x, path=path, kernel=kernel, stride=step, padding=padding)


def avg_pool(
    d: Net, path: Path, x: Value, kernel: Size, stride: Size | None = None, padding: Size = 0
) -> Value:
    step = kernel if stride is None else stride
    return d.call("avgpool", x, path=path, kernel=kernel, stride=step, padding=padding)


def zero_pad(d: Net, path: Path, x: Value, cells: int | list[int]) -> Value:
    """Zeros at the borders: left, right, top, bottom."""
    sides = [cells] * 4 if isinstance(cells, int) else cells
    if len(sides) != 4 or min(sides) < 0:
        raise refused("nn.ZeroPad2d takes a number, or four: left, right, top, bottom", d.origin)
    names = ("left", "right", "top", "bottom")
    return d.call("pad", x, path=path, **dict(zip(names, sides, strict=True)))


def identity(d: Net, path: Path, x: Value) -> Value:
    return x


def batch_norm(d: Net, path: Path, x: Value) -> Value:
    return d.norm(x, *path)
