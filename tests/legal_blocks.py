"""The blocks that random legal networks use (`legal_networks.py`), for maps of one to three axes."""

from __future__ import annotations

AXES = {1: "L", 2: "H, W", 3: "D, H, W"}

BLOCKS = """
fn twice(n: int) = 2 * n

# Convolution, norm, activation.
block Unit(channels: int, act: layer = relu) : [C, {axes}] -> [channels, {axes}] {{
    conv: conv(channels, 3, padding=1, bias=false) -> bn: batchnorm -> act
}}

# Narrow, wide, and the identity.
block Residual(inner: int = 3) {{
    let full = in.channels
    add {{ {{ Unit(inner, act=leaky_relu(0.1)) -> out: conv(full, 1) }} ; identity }} -> relu
}}

# Two inputs of any sizes; the second one's size counts.
block Join(channels: int) (x, skip) {{
    (x -> upsample(size=skip), skip) -> concat -> mix: conv(channels, 1)
}}

# Holds itself, one level less deep.
block Deep(depth: int, channels: int) {{
    add {{
        side: conv(channels, 1)
        if depth > 0 {{ maxpool(3, stride=1, padding=1) -> inner: Deep(depth - 1, channels) }}
    }}
}}

# Two results of one size.
block Pair(n: int) {{
    a = conv(n, 1) -> relu
    (a, in -> conv(twice(n), 3, padding=1))
}}

# One stage, given.
block Late(stage: layer) {{
    tanh -> stage
}}

# As many branches as kernels.
block Wide(n: int, kernels: [int] = [1, 3]) {{
    concat {{ for k in kernels {{ branch[k]: conv(n, k, padding=k // 2) }} }}
}}

# As TensorFlow pads: the size divided by the stride, rounded up.
block Same(n: int, k: int, s: int) {{
{same}
    pad({pads}) -> conv: conv(n, k, stride=s)
}}

# Made as long as 40 at the end of the last axis, and cut to what it was.
block AtLeast {{
    let more = max(40 - in.{last}, abs(in.{last} % 3 - 1))
    pad(right=more) -> lrn(3) -> crop({whole})
}}

# The places of the cells beside them.
block WithPlaces(n: int) {{
    concat {{ identity ; positions -> mul(0.1) }} -> conv: conv(n, 1)
}}

# One number a channel.
block Gate {{
    let n = in.channels
    mul {{ identity ; {{ adaptive_avgpool(1) -> fc: conv(n, 1) -> sigmoid }} }}
}}
"""


SIDES = {
    1: [("length", "left", "right")],
    2: [("height", "top", "bottom"), ("width", "left", "right")],
    3: [("depth", "front", "back"), ("height", "top", "bottom"), ("width", "left", "right")],
}


def blocks(rank: int) -> str:
    """The blocks for maps of so many axes."""
    sides = SIDES[rank]
    same = "\n".join(
        f"    let {a} = max((ceil(in.{a} / s) - 1) * s + k - in.{a}, 0)" for a, _, _ in sides
    )
    pads = ", ".join(f"{x}={a} // 2, {y}={a} - {a} // 2" for a, x, y in sides)
    sizes = ", ".join(f"in.{a}" for a, _, _ in sides)
    whole = f"({sizes})" if rank > 1 else sizes
    return BLOCKS.format(axes=AXES[rank], same=same, pads=pads, last=sides[-1][0], whole=whole)
