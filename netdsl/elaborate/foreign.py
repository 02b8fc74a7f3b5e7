"""Layers by their names in PyTorch, Keras, ONNX, Caffe and Darknet: what each is here.

Other names of the very same layer stand with the layer, as `Op.elsewhere`. A name stands without
underscores and in lower case; `Conv2d`, `conv2d` and `Conv2D` are one, and `1d`, `2d`, `3d` at the
end count only where a name is listed with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from netdsl.elaborate.foreign_absent import ABSENT, NOT_YET
from netdsl.ops.base import registry

HOWTO = "docs/howto.md"
ONE_STEP = "one step is no layer by itself: `lstm(64)`, `gru(64)` and `rnn(64)` go along [T, F]"
STEPS = "all steps come out, [T, hidden]; `states=true` gives the last states too"
MASKS = "a mask says what may be looked at, where `nn.MultiheadAttention` takes what is hidden"

DIFFERS = {
    "batchnormalization": "Keras's has `batchnorm(eps=0.001, momentum=0.01)`",
    "layernormalization": "Keras's has `layernorm(eps=0.001)`",
    "groupnormalization": "Keras's has `groupnorm(32, eps=0.001)`",
    "innerproduct": "put `flatten` before it: `linear` goes over the last axis alone",
    "connected": "put `flatten` before it: `linear` goes over the last axis alone",
    "fullyconnected": "put `flatten` before it: `linear` goes over the last axis alone",
    "instancenormalization": "ONNX's has weights: `instancenorm(affine=true)`",
    "averagepool": "ONNX's leaves padding out of the mean: `count_include_pad=false`",
    "averagepooling": "Keras's leaves padding out of the mean: `count_include_pad=false`",
    "maxunpool": "places are counted in each map, as PyTorch's are; ONNX's go on through all maps",
    "leakyrelu": "Keras's has the slope 0.3: `leaky_relu(0.3)`",
    "hardsigmoid": "this is PyTorch's, (x + 3) / 6 between 0 and 1; ONNX's own is 0.2 x + 0.5",
    **dict.fromkeys(
        ("reducemean", "reducemax", "reducemin", "reducesum"),
        "axes are counted without the batch, and named: `axis=[1, 2]`; ONNX's stay: `keep=true`",
    ),
    "div": "of whole numbers it gives floats, and ONNX's whole numbers",
    "rmsnormalization": "Keras's has `rmsnorm(eps=1e-6)`, ONNX's `rmsnorm(eps=1e-5)`",
    "softmax": "`softmax` goes over the channels, `softmax(axis=-1)` over the last axis",
    "lstm": STEPS,
    "gru": STEPS,
    "rnn": STEPS,
    "simplernn": STEPS,
    "multiheadattention": MASKS,
    "logsoftmax": "`log_softmax` goes over the channels, `log_softmax(axis=-1)` over the last axis",
}
"""What to mind where one name has several meanings."""

BOXES = "detectors end at decoded boxes and scores"
BY_VALUES = (
    "how many numbers there are would depend on the values, and sizes are known before the first "
    f"run: {BOXES}"
)

WRITTEN = {
    "globalaveragepool": "`adaptive_avgpool(1)` keeps the axes, [C, 1, 1]; `global_avgpool` gives "
    "[C]",
    "globalmaxpool": "`adaptive_maxpool(1)` keeps the axes, [C, 1, 1]; `global_maxpool` gives [C]",
    "globalpool": "write `global_avgpool` or `global_maxpool`",
    "pool pooling": "write `maxpool(2)` or `avgpool(2)`; Caffe's rounds sizes up, and has stride 1 "
    "where none is given: `maxpool(2, stride=1, ceil_mode=true)`",
    "upsamplingbilinear2d upsamplebilinear": "write "
    "`upsample(2, mode=bilinear, align_corners=true)`",
    "resizing": "write `resize(224x224, antialias=false)`: Keras's does not smooth before it "
    "shrinks unless it is told to",
    "depthtospace": "`use std.depth (DepthToSpace)` brings `DepthToSpace`, in the order of "
    "channels in TensorFlow and ONNX (DCR); `pixel_shuffle(2)` has that in PyTorch (CRD)",
    "spacetodepth": "`use std.depth (SpaceToDepth)` brings `SpaceToDepth`, in the order of "
    "channels in TensorFlow and ONNX; `pixel_unshuffle(2)` has that in PyTorch",
    "focus": "write `permute([0, 2, 1]) -> pixel_unshuffle(2) -> permute([0, 2, 1]) -> "
    "channel_shuffle(C)`, where C channels come in",
    "reorg reorgold": "`use std.depth (Reorg)` brings `Reorg`, in YOLOv2's order of channels; "
    "`SpaceToDepth` beside it has the order of later forks of Darknet",
    "depthwiseconv dwconv depthwise": "write `conv(C, 3, groups=C)`, where C channels come in",
    "separableconv separable": "write `conv(C, 3, groups=C, bias=false) -> conv(64, 1)`, where C "
    "channels come in",
    "pointwiseconv pwconv pointwise conv1x1": "write `conv(64, 1)`",
    "conv2dsame": "write `conv(64, 3, stride=2, padding=same_upper)`",
    "maxpool2dsame": "write `maxpool(3, stride=2, padding=same_upper)`",
    "avgpool2dsame": "write `avgpool(3, stride=2, padding=same_upper)`",
    "constantpad constantpadnd": "write `pad(1, value=0.5)`",
    "reflectionpad reflectpad": "write `pad(1, mode=reflect)`",
    "replicationpad replicatepad": "write `pad(1, mode=replicate)`",
    "circularpad": "write `pad(1, mode=circular)`",
    "cropping crop2d": "write `crop((H - 2, W - 2), offset=1)`: the size that is left, and where "
    "it begins",
    "im2col": "write `unfold(3)`, which numbers the windows along one axis; Caffe's along two",
    "narrow": "write `slice(1, 2, 5)` for the 3 cells from the third on: the axis without the "
    "batch, and where it begins and ends",
    "squeeze unsqueeze expanddims unflatten": "write `reshape([1, C, H, W])`: the whole new shape, "
    "without the batch",
    "transpose swapaxes swapdims movedim moveaxis adjoint t": "write `permute([0, 2, 1])`: the "
    "axes in their new order, "
    "without the batch",
    "stack": "a new axis for each, then join them: "
    "`(a -> reshape([1, C]), b -> reshape([1, C])) -> concat`",
    "splitwithsizes tensorsplit hsplit vsplit dsplit": "write `split([2, 6], axis=1)`: the sizes "
    "of "
    "the parts",
    "hstack vstack dstack columnstack rowstack": "joined along an axis, counted without the batch: "
    "`(a, b) -> concat(axis=1)`",
    "chunk unsafechunk": "`split(2)` cuts into equal parts",
    "unbind": "`split(3)` cuts into parts, each of which keeps the axis",
    "glu": "write `split(2, axis=-1) -> mul { in[0] ; in[1] -> sigmoid }`",
    "geglu": "write `split(2, axis=-1) -> mul { in[0] ; in[1] -> gelu }`",
    "square": "write `pow(2)`",
    "neg negative": "write `mul(-1)`",
    "not logicalnot": "of truth values write `equal(0)`",
    "and logicaland": "of truth values write `(a, b) -> min`",
    "or logicalor": "of truth values write `(a, b) -> max`",
    "xor ne notequal logicalxor": "write `(a, b) -> equal -> equal(0)`",
    "greaterorequal greaterequal ge": "write `(a, b) -> less -> equal(0)`",
    "lessorequal lessequal le": "write `(a, b) -> greater -> equal(0)`",
    "all": "of truth values write `min(axis=0)`",
    "any": "of truth values write `max(axis=0)`",
    "maskedfill": "write `(a -> equal(0), b) -> where(-1e9)`, where the mask `a` says what "
    "is filled",
    "argmin": "write `mul(-1) -> argmax(axis=0)`",
    "reducel1": "write `norm(axis=0, p=1)`",
    "reducel2": "write `norm(axis=0)`",
    "reducesumsquare": "write `pow(2) -> sum(axis=0)`",
    "reducelogsum": "write `sum(axis=0) -> log`",
    "reducelogsumexp logsumexp": "write `sub { identity ; log_softmax } -> mean(axis=0)`",
    "reduction": "by its own name: `sum(axis=0)`, `mean(axis=0)`, `norm(axis=0)`",
    "var varmean": "write `sub { identity ; mean(axis=0, keep=true) } -> pow(2) -> "
    "mean(axis=0)`, which is "
    "PyTorch's with `correction=0`",
    "std stdmean": "write `sub { identity ; mean(axis=0, keep=true) } -> pow(2) -> mean(axis=0) "
    "-> sqrt`, "
    "which is PyTorch's with `correction=0`",
    "power": "write `mul(2) -> add(1) -> pow(3)`: Caffe's scale, shift and power",
    "tan": "write `div { sin ; cos }`",
    "softmin": "write `mul(-1) -> softmax`",
    "logsigmoid": "write `mul(-1) -> softplus -> mul(-1)`",
    "relusquared": "write `relu -> pow(2)`",
    "quickgelu": "write `mul { identity ; mul(1.702) -> sigmoid }`",
    "crelu": "write `concat { identity ; mul(-1) } -> relu`",
    "hardshrink": "write `where(0) { abs -> greater(0.5) ; identity }`, where lambda is 0.5",
    "threshold": "write `where(0.2) { greater(0.1) ; identity }`, where 0.2 takes the place of "
    "what is not above 0.1",
    "thresholdedrelu": "write `where(0) { greater(1) ; identity }`",
    "gem gempool": "write `clamp(low=1e-6) -> pow(3) -> mean(axis=[1, 2]) -> pow(1 / 3)`",
    "maxout": "write `reshape([C / 2, 2, H, W]) -> max(axis=1)`",
    "scalechannels sam": "write `(a, b) -> mul`",
    "swiglu": "a product of branches: `mul { linear(64) -> silu ; linear(64) }`",
    "tanhshrink": "write `sub { identity ; tanh }`",
    "softshrink": "write `sub { identity ; hardtanh(-0.5, 0.5) }`, where lambda is 0.5",
    "gelutanh": "write `gelu(approximate=tanh)`",
    "leaky": "write `leaky_relu(0.1)`",
    "layernorm2d": "write `layernorm(axis=channels)`; ConvNeXt's has `eps=1e-6` as well",
    "groupnorm1": "write `groupnorm(1)`",
    "normlayer": "by its own name: `batchnorm`, `groupnorm(8)`, `layernorm`, ...",
    "activation act nonlinearity": "by its own name: `relu`, `gelu`, ...",
    "frozenbatchnorm": "`use std.norms (FrozenBatchNorm)` brings `FrozenBatchNorm`",
    "blurpool": "`use std.kernels (BlurPool)` brings `BlurPool`",
    "stdconv wsconv": "`use std.kernels (StdConv)` brings `StdConv`, a convolution with "
    "standardised weights",
    "scaledstdconv": "`use std.kernels (ScaledStdConv)` brings `ScaledStdConv`",
    "weightnorm weightnormconv": "`use std.kernels (WeightNormConv)` brings `WeightNormConv`, a "
    "convolution with normalised weights",
    "spectralnormalization spectralconv": "`use std.kernels (SpectralNormConv)` brings "
    "`SpectralNormConv`; the `weight=` of another layer goes through `spectral_norm`",
    "modulatedconv styledconv": "`use std.kernels (ModulatedConv)` brings `ModulatedConv`",
    "eltwise elementwise": "write `add`, `mul` or `max`",
    "merge": "`concat` joins along the channels, `add` adds",
    "residual skip": "write `add { identity ; conv(C, 3, padding=1) }`",
    "route": "values have names: `(a, b) -> concat`",
    "scale layerscale affine scalelayer": "a parameter for each channel: "
    "`weight gamma: [C, 1, 1] = 1`, then `(x, gamma) -> mul`; a fixed number: `mul(0.1)`",
    "bias": "a parameter for each channel: `weight beta: [C, 1, 1] = 0`, then `(x, beta) -> add`",
    "parameter parameterlist parameterdict": "write `weight w: [64] = 0`",
    "input inputlayer data placeholder": "a line of the net: `input x: [3, 224, 224]`",
    "output outputlayer": "a line of the net: `output y = x -> ...`",
    "sequential modulelist moduledict container module model network": "stages in a row are joined "
    "by `->`; `{ ... }` holds several together",
    "augmix autocontrast categoryencoding cutmix discretization equalization hashedcrossing "
    "hashing integerlookup mixup pipeline randaugment randombrightness randomcontrast randomcrop "
    "randomhue randomrotation randomtranslation randomzoom solarization stringlookup "
    "textvectorization": "what is done to the data before the network is no part of it",
    "lambda function custom": "what no block can express is a custom layer, a Python class: "
    "docs/plugins.md",
    "rescaling": "write `mul(2) -> add(-1)`: Keras's scale and offset",
    "normalization": "write `normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])`: a mean and a "
    "deviation for each channel",
    "shape size numel": "sizes are numbers in expressions: `x.height`, `x.channels`, `x.shape[0]`",
    "convbn convbnrelu convbnact convnormact": "`use std.conv (ConvBN)` brings `ConvBN`",
    "conv2dnormactivation conv3dnormactivation": "`use std.conv (ConvNormActivation)` brings "
    "`ConvNormActivation`",
    "squeezeexcite semodule se selayer seblock": "`use std.se (SqueezeExcitation)` brings "
    "`SqueezeExcitation`",
    "cbam cbammodule": "`use std.gates (Cbam)` brings `Cbam`",
    "eca ecamodule": "`use std.gates (EfficientChannelAttention)` brings it",
    "coordattn": "`use std.gates (CoordinateAttention)` brings it",
    "globalcontext": "`use std.gates (GlobalContext)` brings `GlobalContext`",
    "globalresponsenorm grn": "`use std.norms (GlobalResponseNorm)` brings it, with the channels "
    "last, and `MapResponseNorm` for maps",
    "l2norm unitnormalization lpnormalization": "`use std.norms (L2Norm)` brings `L2Norm`, along "
    "axis 0 unless another is given",
    "rmsnorm2d": "write `rmsnorm(axis=channels, eps=1e-6)`",
    "featurepyramidnetwork": "`use std.fpn (FPN)` brings `FPN`",
    "mlp": "write `linear(256) -> gelu -> linear(64)`",
    "attention": "`attention(8)` is PyTorch's `nn.MultiheadAttention`, with projections; "
    "`(q, k, v) -> attend(8)` has no weights",
    "multiheadattentionforward flexattention": "`attention(8, mask=m)` has projections of its own, "
    "`(q, k, v) -> attend(8, mask=m)` has no weights; a mask says what may be looked at, or is "
    "added to the scores",
    "groupqueryattention": "an axis in front for each group, which is 1 in keys and values: "
    "`(q, k, v) -> attend(1)` with [G, N, T, D], [G, 1, T, D] and [G, 1, T, D]",
    "transformer transformerencoder transformerdecoder": "layers in a row: "
    "`use std.transformer (TransformerEncoderLayer, TransformerDecoderLayer)` brings them, with "
    "PyTorch's keys",
    "dot": "of matrices: `(a, b) -> matmul`, [T, K] and [K, S]",
    "einsum einsumdense": "a product over an axis is `(a, b) -> matmul`, over the last axis with "
    "learned numbers `linear(64)`; `permute` and `reshape` bring axes to their places",
    "addbmm addmm addmv addr baddbmm": "write `(a, b) -> matmul`, and `add` behind it",
    "bidirectional": "write `lstm(64, bidirectional=true)`",
    "recurrent rnnbase": "by its own name: `lstm(64)`, `gru(64)` or `rnn(64)`",
    "timedistributed": "its body runs on every item of axis 0: `each { ... }`",
    "acosh arccosh": "write `add { identity ; pow(2) -> sub(1) -> sqrt } -> log`",
    "asinh arcsinh": "write `add { identity ; pow(2) -> add(1) -> sqrt } -> log`",
    "atanh arctanh": "write `div { add(1) ; mul(-1) -> add(1) } -> log -> mul(0.5)`",
    "cosh": "write `add { exp ; mul(-1) -> exp } -> mul(0.5)`",
    "sinh": "write `sub { exp ; mul(-1) -> exp } -> mul(0.5)`",
    "log1p": "write `add(1) -> log`",
    "expm1": "write `exp -> sub(1)`",
    "exp2": "write `mul(0.6931471805599453) -> exp`",
    "log2": "write `log -> mul(1.4426950408889634)`",
    "log10": "write `log -> mul(0.4342944819032518)`",
    "logit": "write `div { identity ; mul(-1) -> add(1) } -> log`",
    "logaddexp": "write `add { a ; (b, a) -> sub -> softplus }`",
    "hypot": "write `add { a -> pow(2) ; b -> pow(2) } -> sqrt`",
    "erfc": "write `erf -> mul(-1) -> add(1)`",
    "rsub": "write `mul(-1) -> add(2)` for 2 - x",
    "lerp": "write `add { a ; mul { (b, a) -> sub ; x } }`, where `x` is the share of `b`",
    "addcmul": "write `add { x ; mul { a ; b } }`",
    "addcdiv": "write `add { x ; div { a ; b } }`",
    "deg2rad": "write `mul(0.017453292519943295)`",
    "rad2deg": "write `mul(57.29577951308232)`",
    "signbit": "write `less(0)`",
    "sgn": "write `sign`",
    "positive clone": "write `identity`",
    "floatpower": "write `pow(3)`",
    "truedivide": "write `div(2)`, or `(a, b) -> div`",
    "countnonzero": "write `equal(0) -> mul(-1) -> add(1) -> sum(axis=0)`",
    "isclose allclose": "write `(a, b) -> sub -> abs -> less(1e-5)`",
    "isposinf": "write `greater(3.4028234e38)`",
    "isneginf": "write `less(-3.4028234e38)`",
    "nantonum": "write `where(0) { equal { identity ; identity } ; identity }` for what is no "
    "number",
    "frobeniusnorm": "write `norm(axis=[1, 2])`",
    "normexceptdim renorm": "lengths are `norm(axis=[1, 2], keep=true)`, and `div` divides by them",
    "ravel atleast": "write `flatten`, or `reshape([1, C, H, W])`",
    "outer ger kron": "as [T, 1] and [1, S]: `(a, b) -> mul`",
    "inner vdot": "write `(a, b) -> mul -> sum(axis=0)`",
    "mv chainmatmul tensordot": "a product of matrices is `(a, b) -> matmul`, with [T, K] and "
    "[K, S]",
    "cov corrcoef": "write `sub { identity ; mean(axis=1, keep=true) }`, and the product with "
    "itself, "
    "`(a, a -> permute([1, 0])) -> matmul`",
    "diag diagonal diagembed diagflat trace blockdiag": "a table that is the identity, "
    "`weight eye: constant [8, 8] = identity`, then `(x, eye) -> mul`",
    "trapezoid trapz cumulativetrapezoid": "write "
    "`add { slice(1, 1) ; slice(1, 0, -1) } -> mul(0.5) -> sum(axis=1)`",
    "asstrided": "windows are `unfold(3)`, every second cell is `slice(1, 0, end, 2)`",
    "selectscatter slicescatter diagonalscatter asstridedscatter indexfill": "the parts, and what "
    "takes the place of one: `(a, b) -> concat(axis=1)`",
    "heaviside": "write `greater(0) -> mul(1.0)`",
    "relie": "write `leaky_relu(0.01)`",
    "ramp": "write `add { relu ; mul(0.1) }`",
    "loggy": "write `sigmoid -> mul(2) -> sub(1)`",
    "lhtan": "write `add { clamp(low=0, high=1) -> mul(0.999) ; mul(0.001) }`",
    "plse": "write `add { mul(0.125) -> add(0.5) -> clamp(low=0, high=1) ; "
    "sub { identity ; clamp(low=-4, high=4) } -> mul(0.01) }`",
    "bnll": "write `softplus`",
    "hardmish": "write `mul { identity ; add(2) -> clamp(low=0, high=2) } -> mul(0.5)`",
    "shrink": "write `where(0) { abs -> greater(0.5) ; identity }`, where lambda is 0.5",
    "hardmax": "write `equal { identity ; max(axis=0, keep=true) } -> mul(1.0)`, where no two "
    "numbers are equally large",
    "binarizer": "write `greater(0) -> mul(1.0)`",
    "cast castlike float double long bool": "`mul(1.0)` makes float32 of whole numbers and truth "
    "values, `equal(0) -> equal(0)` truth values",
    "isnan": "write `equal { identity ; identity } -> equal(0)`",
    "isinf": "write `abs -> greater(3.4028234e38)`",
    "isfinite": "write `sub { identity ; identity } -> equal(0)`",
    "prod reduceprod": "of numbers above 0 write `log -> sum(axis=0) -> exp`",
    "cumprod": "of numbers above 0 write `log -> cumsum(axis=0) -> exp`",
    "logcumsumexp": "write `exp -> cumsum(axis=0) -> log`, where `exp` does not overflow",
    "clampmin": "write `clamp(low=0)`",
    "clampmax": "write `clamp(high=1)`",
    "fmax": "write `(a, b) -> max`",
    "fmin": "write `(a, b) -> min`",
    "diff": "write `sub { slice(1, 1) ; slice(1, 0, -1) }`",
    "globallppool": "write `norm(axis=[1, 2], keep=true)`",
    "select": "write `slice(1, 2, 3) -> reshape([C, W])`: the cell 2 of axis 1, and the shape "
    "without it",
    "tile repeat repeatvector repeatinterleave": "write `concat(axis=1) { identity ; identity }`; "
    "where values meet, an axis of 1 spreads by itself",
    "expand expandas broadcastto broadcasttensors": "where values meet, an axis of 1 spreads by "
    "itself: "
    "`(a, b) -> add` with [C, H, W] and [C, 1, 1]",
    "roll": "write `concat(axis=1) { slice(1, 2) ; slice(1, 0, 2) }` for 2 cells",
    "centercroppad": "write `center_crop(4)`, or `pad(1)`",
    "convtbc": "write `permute([1, 0])`, which brings the channels to the front, and `conv(64, 3)`",
    "coordconv": "write `concat { identity ; positions }`, with numbers from 0 on",
    "embeddingbag": "write `embedding(100, 64) -> mean(axis=0)`",
    "dist pairwisedistance": "write `(a, b) -> sub -> norm(axis=0)`",
    "cosinesimilarity": "both at length 1, then `(a, b) -> mul -> sum(axis=0)`: "
    f"{HOWTO}, a cosine between two vectors",
    "cdist pdist": "one as [T, 1, E], the other as [1, S, E]: `(a, b) -> sub -> norm(axis=-1)`",
    "additiveattention": "queries as [T, 1, E], keys as [1, S, E]: the scores are "
    "`(a, b) -> add -> tanh -> sum(axis=-1) -> softmax(axis=-1)`, then `matmul` with the values",
    "linearattention": "two products: `(a, b) -> matmul`, with [F, T] and [T, G] first",
    "nonlocal": "rows of cells, `reshape([C, H * W]) -> permute([1, 0])`, and `attend(1)`",
    "attentionpool attentionpoollatent": "a query that is learned: `weight q: [1, 64]`, then "
    "`(q, x) -> attention(8)`",
    "film": "a factor and an offset of another value: `(x, a) -> mul`, then `(x, b) -> add`, each "
    "[C, 1, 1]",
    "adain spade": "`instancenorm`, then a factor and an offset of another value: "
    "`(x, a) -> mul`, `(x, b) -> add`",
    "mvn meanvariancenormalization": "Caffe's is `instancenorm`; ONNX's, over the batch too, "
    "`batchnorm(affine=false, track=false)`",
    "implicitadd": "`weight beta: [C, 1, 1] = 0`, then `(x, beta) -> add`",
    "implicitmul": "`weight gamma: [C, 1, 1] = 1`, then `(x, gamma) -> mul`",
    "onehot onehotencoder": f"a table that is the identity: {HOWTO}, one-hot vectors",
    "constant constantofshape full fulllike fill tensor scalartensor astensor asarray": "write "
    "`weight c: constant [3] = [1, 2, 3]`",
    "eyelike eye": "write `weight eye: constant [8, 8] = identity`",
    "zeroslike zeros empty emptylike": "write `mul(0)`; a table of zeros is `weight z: constant "
    "[8] = 0`",
    "oneslike ones": "write `mul(0) -> add(1)`; a table is `weight z: constant [8] = 1`",
    "arange range linspace logspace meshgrid trilindices triuindices": "known numbers are "
    "`weight n: constant [16] = 0..16`; those of the "
    "cells of a map are `positions`",
    "blackmanwindow hammingwindow hannwindow bartlettwindow kaiserwindow melweightmatrix "
    "vander": "known numbers are a table: `weight w: constant [4] = [0, 0.5, 1, 0.5]`",
    "tril triu trilu": "for attention write `causal=true`; other known masks are a table, "
    "`weight m: constant [2, 2] = [1, 0, 1, 1]`",
    "masking": "a mask is an input: `(a, b) -> mul`, or `mask=m` of `attention` and `attend`",
    "gather gatherelements gathernd indexselect take takealongdim": "rows of a table by their "
    "numbers are `embedding(100, 64)`; which cells of a value are read can't depend on numbers",
    "condconv": f"every kernel runs, and the results are mixed: {HOWTO}, weights for each sample",
    "mixedconv": "write `split(2)`, a convolution for each part, and `concat`",
    "scaledconv": f"a kernel that is computed: {HOWTO}, weight standardisation",
    "crosscorrelation involution local locallyconnected": "windows as columns, `unfold(3)`, then "
    "a product with the weights of each place and a sum",
    "posembed positionalencoding": f"a learned table, or one of sines: {HOWTO}, learned positions",
    "rope rotaryembedding": f"sines and cosines of `positions`: {HOWTO}, rotary positions",
    "unpool unpooling maxunpoolwithindices": "`max_unpool` takes the places that "
    "`maxpool(2, indices=true)` gives",
    "stackedrnncells": "write `lstm(64, layers=2)`",
    "cecamodule": "as `EfficientChannelAttention` of std.gates, with `padding_mode=circular`",
    "ghost": "`use std.ghost (GhostModule)` brings `GhostModule`",
    "selectivekernel splitattn": "branches, `softmax` over their gates, and `add` of the products",
    "netvlad": "`conv(8, 1)` and `softmax` give the shares, `matmul` adds up the places",
    "silence filter": "a value that nothing uses is named `_`: `_ = x -> linear(9)`",
    "detection iseg region yolo gaussianyolo": "what the last convolution gives is the output; "
    f"boxes: {HOWTO}, box decoding",
    "layerdrop": "write `drop_path(0.1)`, which drops samples by themselves",
    "nms softnms batchednms multiclassnms matrixnms nonmaxsuppression nonmaximumsuppression "
    "combinednonmaxsuppression nonzero argwhere unique uniqueconsecutive booleanmask maskedselect "
    "compress filterdetections postprocess detectionoutput": BY_VALUES,
    "topk sort argsort": f"{BOXES}; the greatest number is `max(axis=0)`, its place "
    "`argmax(axis=0)`",
    "bilinear": f"{NOT_YET}; a map is enlarged by `upsample(2, mode=bilinear)`",
    "gemm": "write `linear(64)`, where one of the two is a weight",
}
"""What is written differently, or is not there and has something near it."""

ENDINGS = {
    "loss": "a loss is no part of a net, which ends in the values that the loss takes",
    "entropy": "a loss is no part of a net, which ends in the values that the loss takes",
    "withlogits": "a loss is no part of a net, which ends in the values that the loss takes",
    "kldiv": "a loss is no part of a net, which ends in the values that the loss takes",
    "rnncells": ONE_STEP,
    "cell": ONE_STEP,
    "cellbase": ONE_STEP,
    "withindices": "`maxpool(2, indices=true)` gives the places as a second result; an adaptive or "
    "fractional pool has none",
}
"""Kinds of names that only their ends tell."""

MODULES = frozenset(
    ["nn", "F", "torch", "torchvision", "timm", "functional", "tf", "tensorflow", "keras", "K",
     "layers", "ops", "slim", "L", "jax", "flax", "linen", "paddle", "mx", "gluon", "onnx"]
)  # fmt: skip
"""What stands before the dot in the code of other frameworks: `nn.Conv2d`, `F.relu`."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a name of another framework means here.

    `layer` is our layer that is the very same, or empty; `text` says what to mind, how it is
    written otherwise, or that there is nothing like it.
    """

    layer: str = ""
    text: str = ""


def foreign(name: str) -> Foreign | None:
    """What a layer of another framework is here; None for a name that none of them has."""
    squeezed = plain(name)
    for spelling in squeezed, without_rank(squeezed):
        meaning = names().get(spelling)
        if meaning is not None:
            return meaning
    for ending, text in ENDINGS.items():
        if without_rank(squeezed).endswith(ending):
            return Foreign("", text)
    return None


def plain(name: str) -> str:
    """A name as the tables have it."""
    return name.lower().replace("_", "").removeprefix("lazy")


def without_rank(name: str) -> str:
    """`conv2d` without its `2d`."""
    return name[:-2] if name.endswith(("1d", "2d", "3d")) else name


def names() -> dict[str, Foreign]:
    """Every name of the tables and of the layers in force (`Op.elsewhere`), with what it means."""
    table = dict(_tables())
    for op in reversed(registry().values()):  # what a built-in layer says comes last, and holds
        for name in op.elsewhere.split():
            table[name] = Foreign(op.name, DIFFERS.get(name, ""))
    return table


@cache
def _tables() -> dict[str, Foreign]:
    table: dict[str, Foreign] = {}
    for listed, text in (*ABSENT.items(), *WRITTEN.items()):
        table.update((name, Foreign("", text)) for name in listed.split())
    return table
