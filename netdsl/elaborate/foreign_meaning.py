"""What an argument of another framework's layer means otherwise than the one here.

What a layer's name is here, and what differs in the layer as a whole, stands in `foreign`.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from netdsl.elaborate.foreign import plain, without_rank

COUNTED = "axes are counted without the batch here: `dim=1` is `axis=channels`, `dim=2` is `axis=1`"
AXIS = (
    "axes are counted without the batch here, and channels come first: the axis 1 of ONNX and the "
    "last one of Keras are `axis=channels`"
)
FACTOR = "Keras' `size` is a factor, here `scale`: `upsample(3)`"
SIZE_FIRST = "PyTorch's first argument is the size; here it is the factor"
COME_IN = "the input channels are not written here"
HIDING = "PyTorch's masks hide what is true; here true may be looked at"
MASKS = {
    "attn_mask": f"{HIDING}: `mask=m`, of [T, S] or [heads, T, S]",
    "key_padding_mask": f"{HIDING}: `mask=m`, of [S]",
}
ONNX_KERNEL = "ONNX's `kernel_shape` is `kernel`, and its stride is 1 where none is given"

OTHER_MEANING = {
    "upsampling": {"size": FACTOR},
    "upsample": {"0": SIZE_FIRST, "stride": "Darknet's `stride` is the factor, here `scale`"},
    "interpolate upsamplingnearest upsamplenearest upsamplingbilinear": {"0": SIZE_FIRST},
    "unfold": {"1": "PyTorch's second argument is the dilation; here it is the stride"},
    "fold": {"0": "PyTorch's first argument is the size; here it is the kernel: `fold(3, size=x)`"},
    "conv": {"2": f"{COME_IN}, as they are in PyTorch: `conv(channels, kernel, stride)`"},
    "convtranspose": {
        "2": f"{COME_IN}, as they are in PyTorch: `conv_transpose(channels, kernel, stride)`",
    },
    "linear": {"1": "what comes in is not written here, as it is in PyTorch: `linear(features)`"},
    "dense": {"1": "an activation is a stage: `-> relu`"},
    "batchnorm syncbatchnorm": {"0": f"{COME_IN}: `batchnorm` alone is enough"},
    "instancenorm": {"0": f"{COME_IN}: `instancenorm` alone is enough"},
    "groupnorm": {"1": f"{COME_IN}: `groupnorm(groups)`"},
    "batchnormalization": {
        "momentum": "that of Keras and ONNX is the share of the old mean; here it is 1 minus that",
        "axis": "the channels are normalised; leave `axis` out",
        "0": "Keras' first argument is the axis, which is left out here",
    },
    "layernorm rmsnorm": {
        "0": "PyTorch's first argument is the shape that is normalised, here it is the axis: "
        "`axis=-1`, or `axis=[-2, -1]`",
    },
    "multiheadattention": {
        "1": "the width of what comes in is not written here, nor that of a head: "
        "`attention(heads)`",
        **MASKS,
        "key_dim": "the heads have equal parts of what comes in",
    },
    "attention": MASKS,
    "scaleddotproductattention": {
        "attn_mask": "it is called `mask`, and means the same",
        "is_causal": "it is called `causal`",
    },
    "lstm gru rnn simplernn": {
        "1": "what comes in is not written here, as it is in PyTorch: `lstm(hidden)`",
        "return_sequences": "all steps come out; the last is `slice(0, -1)`",
        "return_state": "`states=true` gives the last states too",
        "initial_state": "`start=h`, and of `lstm` `start_cell=c`",
        "proj_size": "a stage behind: `linear(64)`",
    },
    "maxpool averagepool": {"kernel_shape": ONNX_KERNEL},
    "concat concatenate softmax logsoftmax layernormalization split": {"axis": AXIS},
    "chunk": {"dim": COUNTED},
    "clamp clip": {"0": "the first number is the least result, the second the greatest"},
    "permute": {
        "0": "PyTorch counts the batch, and Keras counts from 1; here the channels are axis 0",
        "dims": "PyTorch counts the batch, and Keras counts from 1; here the channels are axis 0, "
        "and they are `axes`",
    },
    "flatten": {"start_dim": "leave it out: all axes but the batch become one"},
    "embedding": {
        "input_dim": "it is called `count`",
        "output_dim": "it is called `features`",
    },
}
"""By the names of another framework (as in `foreign`): its arguments, and what they mean.

"0" is the first argument without a name. Names that are our own too stand for what is written
otherwise, as `Upsample` or `nn.upsample`.
"""

ANY_LAYER = {
    "dim": ("axis", COUNTED),
    "auto_pad": ("padding", "ONNX's `SAME_UPPER` is `padding=same_upper`"),
    "keep_prob": ("p", "`p` is the share that is dropped: 1 - `keep_prob`"),
    "depth_radius": (
        "size",
        "`size` is `2 * depth_radius + 1`, and TensorFlow's `alpha` is not divided by it: here "
        "`alpha` is `size` times as large",
    ),
    "moving_average_fraction": ("momentum", "`momentum` is 1 minus that"),
    "pad": ("padding", "`padding` counts cells; Darknet's `pad=1` means `padding=kernel // 2`"),
    "target_shape": ("shape", "it is called `shape`, and the channels come first"),
    "normalized_shape": ("axis", "the axis is named here: `axis=-1`, or `axis=[-2, -1]`"),
    "axes": ("axis", AXIS),
    "shared_axes": ("count", "`prelu` has one slope, or one for each channel: `count`"),
}
"""Arguments that mean otherwise in every layer that has the parameter of ours beside them."""


def other_meaning(called: str, argument: str, parameters: Collection[str]) -> str:
    """What differs where this argument of a foreign layer is taken over; empty if nothing does.

    `called` is its layer there, `parameters` are those of ours.
    """
    squeezed = plain(called)
    for spelling in squeezed, without_rank(squeezed):
        meaning = _meanings().get(spelling, {}).get(argument)
        if meaning:
            return meaning
    ours, text = ANY_LAYER.get(argument, ("", ""))
    return text if ours in parameters else ""


@cache
def _meanings() -> dict[str, dict[str, str]]:
    """The table with each name by itself."""
    table: dict[str, dict[str, str]] = {}
    for listed, arguments in OTHER_MEANING.items():
        for name in listed.split():
            table.setdefault(name, {}).update(arguments)
    return table
