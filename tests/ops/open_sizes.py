"""A network at many sizes: which it takes, and its numbers in PyTorch and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

import netdsl
from netdsl.lints import WARNINGS
from tests.backends.onnx.runtime import apart, check_file, outputs, session
from tests.examples import random_inputs

Oracle = Callable[..., Any]
"""What PyTorch gives for inputs, or None where it should be refused."""


def loaded(text: str) -> netdsl.Network:
    return netdsl.loads(text, allow=WARNINGS)


def agree(
    text: str, points: Sequence[Mapping[str, int]], oracle: Oracle, *, batch: int = 2
) -> tuple[int, int]:
    """Checks each size against an oracle; how many sizes are taken, and how many are not."""
    network = loaded(text)
    module = network.torch(seed=0).eval()
    model = network.onnx(module)
    check_file(model)
    running, taken = session(model.SerializeToString()), 0
    for sizes in points:
        inputs = random_inputs(network, dict(sizes), batch)
        with torch.no_grad():
            wanted = oracle(*inputs)
        accepted = network.sizes.accepts(**sizes)
        assert accepted == (wanted is not None), (text, sizes)
        if wanted is None:
            continue
        wanted = [wanted] if torch.is_tensor(wanted) else list(wanted)
        ours = outputs(module, inputs)
        names = [item.name for item in network.inputs]
        theirs = running.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))
        for want, mine, their in zip(wanted, ours, theirs, strict=True):
            assert apart(want.numpy(), mine) < 1e-5, (text, sizes)
            assert apart(want.numpy(), their) < 1e-5, (text, sizes)
        taken += 1
    return taken, len(points) - taken
