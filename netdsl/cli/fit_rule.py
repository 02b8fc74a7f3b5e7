"""The rule by which a network is made to take any size, as `netdsl sizes --pad` prints it."""

from __future__ import annotations

import json

from netdsl.backends.torch.by_hand import by_hand
from netdsl.cli.options import WayToFit
from netdsl.diagnostics.columns import clean
from netdsl.ir.graph import Output
from netdsl.ir.tensor import format_shape
from netdsl.network import Network


def rule_to_fit(network: Network, fits: WayToFit, form: str) -> str:
    """The size that each size is brought to, what is kept of each output, and the code."""
    fitted = fits.of(network)
    rule = network.fitting(fits.way or "", fits.fill, fits.align)
    code = by_hand(network.graph, fitted.graph)
    pairs = list(zip(network.outputs, fitted.outputs, strict=True))
    if form == "json":
        data = {
            "sizes": {name: str(size) for name, size in rule.sizes.items()},
            "accepts": str(fitted.sizes),
            "outputs": {new.name: [str(size) for size in new.shape] for _, new in pairs},
            "code": code,
        }
        return json.dumps(data, indent=2)
    rows = [f"{name} -> {size}" for name, size in rule.sizes.items()]
    rows += [f"takes {fitted.sizes}", *(_row(old, new) for old, new in pairs)]
    return "\n".join([*map(clean, rows), "", code])


def _row(old: Output, new: Output) -> str:
    """`mask: [2, H, W]`, and where it exists."""
    training = " when training" if old.when_training else ""
    return f"{new.name}: {format_shape(new.shape)}{training}"
