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
    "kernel_size": "kernel", "kernelsize": "kernel", "size": "kernel", "ksize": "kernel",
    "strides": "stride", "pad": "padding", "out_channels": "channels", "filters": "channels",
    "num_output": "channels", "out_features": "features", "units": "features",
    "num_features": "features", "output_size": "size", "scale_factor": "scale",
    "num_groups": "groups", "group": "groups", "use_bias": "bias", "negative_slope": "slope",
    "alpha": "slope", "dim": "axis", "num_heads": "heads", "upscale_factor": "factor",
    "dilation_rate": "dilation", "rate": "p", "num_embeddings": "count",
    "embedding_dim": "features", "epsilon": "eps",
}  # fmt: skip
"""What users of PyTorch, Keras, Caffe and Darknet type first, in lower case."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean `conv`?` by synonym, by case, or by edit distance; empty if nothing is near."""
    guess = nearest(name, known)
    return f"did you mean `{guess}`?" if guess else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most likely meant, or an empty string."""
    names = sorted(known)
    synonym = SYNONYMS.get(name.lower(), "")
    if synonym in names:
        return synonym
    lowered = {n.lower(): n for n in names}
    if name.lower() in lowered:
        return lowered[name.lower()]
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.7)
    return lowered[close[0]] if close else ""
