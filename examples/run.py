"""Run a generated module on inputs of some shapes: `run.py googlenet.py GoogLeNet 1x3x224x224`."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location

import torch


def main() -> None:
    """Print the parameters, and for each shape the shape that comes out."""
    path, name, *shapes = sys.argv[1:]
    spec = spec_from_file_location("generated", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["generated"] = module
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    network = getattr(module, name)().eval()
    count = sum(p.numel() for p in network.parameters())
    print(f"{name}: {count:,} parameters")
    for shape in shapes:
        x = torch.randn(*map(int, shape.split("x")))
        with torch.no_grad():
            y = network(x)
        print(f"{shape} -> {'x'.join(map(str, y.shape))}")


main()
