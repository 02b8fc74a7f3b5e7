"""Guesses at what a person meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SYNONYMS = {
    "conv1d": "conv", "conv2d": "conv", "conv3d": "conv", "convolution": "conv",
    "convolutional": "conv", "convtranspose2d": "conv_transpose", "deconv": "conv_transpose",
    "conv2dtranspose": "conv_transpose", "deconvolution": "conv_transpose",
    "maxpool1d": "maxpool", "maxpool2d": "maxpool", "maxpool3d": "maxpool",
    "maxpooling2d": "maxpool", "max_pool2d": "maxpool", "pool": "maxpool", "pooling": "maxpool",
    "avgpool1d": "avgpool", "avgpool2d": "avgpool", "avgpool3d": "avgpool",
    "averagepooling2d": "avgpool", "avg_pool2d": "avgpool", "avg_pool": "avgpool",
    "adaptiveavgpool2d": "adaptive_avgpool", "adaptivemaxpool2d": "adaptive_maxpool",
    "globalaveragepooling2d": "global_avgpool", "globalmaxpooling2d": "global_maxpool",
    "gap": "global_avgpool", "batchnorm1d": "batchnorm", "batchnorm2d": "batchnorm",
    "batchnorm3d": "batchnorm", "batchnormalization": "batchnorm", "bn": "batchnorm",
    "batch_norm": "batchnorm", "layernormalization": "layernorm", "layer_norm": "layernorm",
    "group_norm": "groupnorm", "instancenorm2d": "instancenorm",
    "localresponsenorm": "lrn", "dense": "linear", "fc": "linear", "fully_connected": "linear",
    "innerproduct": "linear", "connected": "linear", "upsampling2d": "upsample",
    "interpolate": "upsample", "resize": "upsample", "upsamplingbilinear2d": "upsample",
    "pixelshuffle": "pixel_shuffle", "depth_to_space": "pixel_shuffle",
    "space_to_depth": "pixel_unshuffle", "reorg": "pixel_unshuffle", "zeropadding2d": "pad",
    "zeropad2d": "pad", "cat": "concat", "concatenate": "concat", "route": "concat",
    "eltwise": "add", "shortcut": "add", "multiply": "mul", "average": "mean",
    "leakyrelu": "leaky_relu", "leaky": "leaky_relu", "swish": "silu", "hswish": "hardswish",
    "hard_swish": "hardswish", "logistic": "sigmoid", "multiheadattention": "attention",
    "dropout2d": "channel_dropout", "spatialdropout2d": "channel_dropout",
    "stochasticdepth": "drop_path", "droppath": "drop_path", "stochastic_depth": "drop_path",
    "channelshuffle": "channel_shuffle", "view": "reshape", "transpose": "permute",
    "chunk": "split", "crop2d": "crop", "spatialpyramidpooling": "spp",
    "poolinglayer": "maxpool", "leakyrelulayer": "leaky_relu", "bilinear": "upsample",
    "residual": "add", "skip": "add", "sum": "add", "merge": "concat", "fullyconnected": "linear",
    "activation": "relu", "frozenbatchnorm2d": "batchnorm", "syncbatchnorm": "batchnorm",
    "layernorm2d": "layernorm", "input": "identity", "passthrough": "identity",
}  # fmt: skip
"""Layers by the names that users of PyTorch, Keras, Caffe and Darknet type first, in lower case."""

SAME_PARAMETER = {
    "kernel_size": "kernel", "kernelsize": "kernel", "ksize": "kernel", "pool_size": "kernel",
    "kernel_shape": "kernel", "window": "kernel", "strides": "stride", "out_channels": "channels",
    "filters": "channels", "num_output": "channels", "out_planes": "channels",
    "out_features": "features", "units": "features", "num_groups": "groups", "use_bias": "bias",
    "negative_slope": "slope", "num_heads": "heads", "upscale_factor": "factor",
    "block_size": "factor", "dilation_rate": "dilation", "num_embeddings": "count",
    "embedding_dim": "features", "epsilon": "eps", "scale_factor": "scale", "output_size": "size",
}  # fmt: skip
"""Other names of parameters that mean the very same."""

LIKE_PARAMETER = {
    "size": "kernel", "pad": "padding", "alpha": "slope", "dim": "axis", "group": "groups",
    "rate": "p", "prob": "p", "factor": "scale", "interpolation": "mode", "n": "channels",
    "kernel_initializer": "init", "weight_init": "init", "initializer": "init",
}  # fmt: skip
"""Names of parameters that mean nearly the same, or count otherwise."""

WORKED_OUT = "it is worked out from what comes in"
LEAVE_OUT = {
    "in_channels": WORKED_OUT, "in_features": WORKED_OUT, "in_planes": WORKED_OUT,
    "num_features": WORKED_OUT, "input_shape": "the `input` line of the net gives it",
    "input_dim": WORKED_OUT, "embed_dim": WORKED_OUT, "num_channels": WORKED_OUT,
    "inplace": "it does not change what is computed",
    "activation": "an activation is a stage: `-> relu`",
    "data_format": "channels come first", "dtype": "the `input` line of the net gives it",
    "device": "the module is moved as any other: `module.to(device)`",
    "name": "a stage is named by a label: `name: conv(...)`",
    "return_indices": "a stage has no hidden results",
}  # fmt: skip
"""Parameters of other frameworks that a layer here does without, and why."""


def leave_out(parameter: str) -> str:
    """Why this parameter is not written here; empty where it is not known."""
    reason = LEAVE_OUT.get(parameter.lower(), "")
    return f"leave it out: {reason}" if reason else ""


def is_same(name: str, guess: str) -> bool:
    """Whether a guess is no guess: another way to write the name, or another word for it."""
    return name.lower() == guess.lower() or SAME_PARAMETER.get(name.lower()) == guess


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean `conv`?` by synonym, by case, or by edit distance; empty if nothing is near."""
    guess = nearest(name, known)
    return f"did you mean `{guess}`?" if guess else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most likely meant, or an empty string."""
    names = sorted(known)
    lower = name.lower()
    for synonyms in SAME_PARAMETER, LIKE_PARAMETER, SYNONYMS:
        if synonyms.get(lower) in names:
            return synonyms[lower]
    lowered = {n.lower(): n for n in names}
    if lower in lowered:
        return lowered[lower]
    close = get_close_matches(lower, lowered, n=1, cutoff=0.7)
    return lowered[close[0]] if close else ""
