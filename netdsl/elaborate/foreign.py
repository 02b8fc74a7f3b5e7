"""Layers by their names in PyTorch, Keras, ONNX, Caffe and Darknet: what each is here.

Other names of the very same layer stand with the layer, as `Op.elsewhere`. A name stands without
underscores and in lower case; `Conv2d`, `conv2d` and `Conv2D` are one, and `1d`, `2d`, `3d` at the
end count only where a name is listed with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from netdsl.ops.base import registry

NOT_YET = "there is no layer for this yet"
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

WRITTEN = {
    "globalaveragepool": "`adaptive_avgpool(1)` keeps the axes, [C, 1, 1]; `global_avgpool` gives "
    "[C]",
    "globalmaxpool": "`adaptive_maxpool(1)` keeps the axes, [C, 1, 1]; `global_maxpool` gives [C]",
    "globalpool": "write `global_avgpool` or `global_maxpool`",
    "pool pooling": "write `maxpool(2)` or `avgpool(2)`; Caffe's rounds sizes up, and has stride 1 "
    "where none is given: `maxpool(2, stride=1, ceil_mode=true)`",
    "upsamplingbilinear2d upsamplebilinear": "write "
    "`upsample(2, mode=bilinear, align_corners=true)`",
    "resize resizing": "write `upsample(2)`, or `upsample(size=(64, 64), mode=bilinear)`, which "
    "does not smooth before it shrinks, as torchvision's does",
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
    "constantpad": "write `pad(1, value=0.5)`",
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
    "transpose swapaxes movedim t": "write `permute([0, 2, 1])`: the axes in their new order, "
    "without the batch",
    "stack": "a new axis for each, then join them: "
    "`(a -> reshape([1, C]), b -> reshape([1, C])) -> concat`",
    "chunk": "`split(2)` cuts into equal parts",
    "unbind": "`split(3)` cuts into parts, each of which keeps the axis",
    "glu": "write `split(2, axis=-1) -> mul { in[0] ; in[1] -> sigmoid }`",
    "geglu": "write `split(2, axis=-1) -> mul { in[0] ; in[1] -> gelu }`",
    "square": "write `pow(2)`",
    "neg negative": "write `mul(-1)`",
    "not": "of truth values write `equal(0)`",
    "and": "of truth values write `(a, b) -> min`",
    "or": "of truth values write `(a, b) -> max`",
    "xor ne": "write `(a, b) -> equal -> equal(0)`",
    "greaterorequal": "write `(a, b) -> less -> equal(0)`",
    "lessorequal": "write `(a, b) -> greater -> equal(0)`",
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
    "var": "write `sub { identity ; mean(axis=0, keep=true) } -> pow(2) -> mean(axis=0)`, which is "
    "PyTorch's with `correction=0`",
    "std": "write `sub { identity ; mean(axis=0, keep=true) } -> pow(2) -> mean(axis=0) -> sqrt`, "
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
    "frozenbatchnorm": "`batchnorm` computes the same at inference; none yet stays as it is in "
    "training",
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
    "randomflip randomhue randomrotation randomtranslation randomzoom solarization stringlookup "
    "textvectorization": "what is done to the data before the network is no part of it",
    "lambda function custom": "what no block can express is a custom layer, a Python class: "
    "docs/plugins.md",
    "rescaling": "write `mul(2) -> add(-1)`: Keras's scale and offset",
    "normalization": "write `normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])`: a mean and a "
    "deviation for each channel",
    "shape size": "sizes are numbers in expressions: `x.height`, `x.channels`, `x.shape[0]`",
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
    "baddbmm": "write `(a, b) -> matmul`, and `add` behind it",
    "bidirectional": "write `lstm(64, bidirectional=true)`",
    "recurrent rnnbase": "by its own name: `lstm(64)`, `gru(64)` or `rnn(64)`",
    "timedistributed": "its body runs on every item of axis 0: `each { ... }`",
    "bilinear": f"{NOT_YET}; a map is enlarged by `upsample(2, mode=bilinear)`",
    "gemm": "write `linear(64)`, where one of the two is a weight",
}
"""What is written differently, or is not there and has something near it."""

MISSING = """
accuracy acos acosh activityregularization acts adagrad adain adam adaptivelogsoftmaxwithloss
additiveattention affinegrid alphadropout arange argsort arrayfeatureextractor asin asinh atan atanh
attentionpool attentionpoollatent bernoulli binarizer binarycrossentropy bitcast bitshift bitwiseand
bitwisenot bitwiseor bitwisexor blackmanwindow blurpool bnll broadcastto cast castlike castmap
categorymapper causalconvwithstate cdist cecamodule ceil centercroppad compress concatfromsequence
condconv constant constantofshape convinteger convlstm convtbc coordconv cosh cosinesimilarity crnn
crosscorrelation crossmaplrn2d cumprod dataparallel deformconv dequantizelinear det detection dft
dictvectorizer diff dropblock dynamicquantizelinear embeddingbag evonorm expand eyelike
featurealphadropout featurevectorizer film filter flip floor fractionalmaxpool gather gatherelements
gathernd gaussiandropout gaussiannoise gaussianyolo ghost globallppool gradient gridsample groupedmm
gumbelsoftmax hammingwindow hannwindow hardmax hardmish imagedecoder implicitadd implicitmul imputer
indexselect involution iseg isinf isnan kan l1 labelencoder layerdrop lhtan linearattention
linearclassifier linearregressor local localavgpool locallyconnected log1p logaddexp loggy logit
loop mamba masking matmulinteger maxroipool maxunpool meanvariancenormalization median
melspectrogram melweightmatrix minibatchstddev mixedconv mod momentum multinomial multiscaleroialign
mvn netvlad noise nonlocal nonmaxsuppression nonzero normalizer onehot onehotencoder optional
optionalgetelement optionalhaselement pairwisedistance patchdropout pdist plse posembed
positionalencoding prod psroialign psroipool python qlinearconv qlinearmatmul quantizelinear ramp
randomnormal randomnormallike randomuniform randomuniformlike range reduceprod regexfullmatch region
relie remainder repeatvector reversesequence roialign roipool roll rope rotaryembedding round rrelu
scaledconv scaledgroupedmm scaledmm scaledstdconv scaler scan scatter scatterelements scatternd
select selectivekernel sequenceat sequenceconstruct sequenceempty sequenceerase sequenceinsert
sequencelength sequencemap shrink silence sinh sort spade spectralnorm spectralnormalization
splitattn splittosequence stackedrnncells stair stdconv stft stftspectrogram stn stringconcat
stringnormalizer stringsplit svmclassifier svmregressor tensorscatter tfidfvectorizer tile topk
treeensemble treeensembleclassifier treeensembleregressor tril trilu triu unique unpool unpooling
weightnorm yolo zeroslike zipmap
"""
"""What no layer is yet, and no short chain of layers either."""

ENDINGS = {
    "loss": "a loss is no part of a net, which ends in the values that the loss takes",
    "entropy": "a loss is no part of a net, which ends in the values that the loss takes",
    "withlogits": "a loss is no part of a net, which ends in the values that the loss takes",
    "kldiv": "a loss is no part of a net, which ends in the values that the loss takes",
    "rnncells": ONE_STEP,
    "cell": ONE_STEP,
    "cellbase": ONE_STEP,
    "withindices": NOT_YET,
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
    table = {name: Foreign("", NOT_YET) for name in MISSING.split()}
    for listed, text in WRITTEN.items():
        table.update((name, Foreign("", text)) for name in listed.split())
    return table
