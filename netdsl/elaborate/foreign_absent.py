"""Names of other frameworks that nothing here stands for, and why."""

from __future__ import annotations

NOT_YET = "there is no layer for this yet"

_DATA = (
    "which cells are read depends on numbers that flow, and no layer here does that: it goes "
    "behind the net, or is a custom layer (docs/plugins.md)"
)
_RANDOM = (
    "random numbers are an input of the net; `dropout`, `channel_dropout` and `drop_path` are the "
    "random layers"
)
_QUANTISED = "whole numbers in place of floats are made behind the export, by ONNX Runtime's tools"
_FOURIER = (
    "there is no transform of Fourier's; over a known length it is `linear` or `conv` with a "
    "`constant` table"
)
_LOSS = "a loss is no part of a net, which ends in the values that the loss takes"
_CLASSICAL = "it belongs to models of another kind than networks"
_TEXTS = "there are no texts in a net: `int64` numbers come in"
_LISTS = "several values are written side by side, `(a, b)`; how many is known before it runs"
_BITS = "there is no arithmetic of bits"
_STEPS = "a step of training is no part of a net: PyTorch's optimisers do it"
_ROUNDED = f"{NOT_YET}: nothing here rounds the numbers that flow"
_BATCH = "no layer but `batchnorm` mixes the samples of a batch"
_LOOP = "a loop runs a known number of times: `repeat 4 { ... }`; over the items of an axis `each`"

ABSENT = {
    "accuracy": "a measure is no part of a net: it is computed from the outputs",
    "activityregularization cost l1": _LOSS,
    "adagrad adam momentum gradient": _STEPS,
    "dataparallel": "how a module is spread over devices is no part of a net",
    "python": "what no block can express is a custom layer, a Python class: docs/plugins.md",
    "affinegrid deformconv gridsample maxroipool median mode kthvalue quantile "
    "multiscaleroialign psroialign psroipool roialign roipool scatter "
    "scatteradd scatterelements scatternd searchsorted bucketize stn tensorscatter "
    "affinegridgenerator gridsampler isin indexadd indexput indexreduce put maskedscatter "
    "scatterreduce segmentreduce nonzerostatic nanquantile histogram histogramdd "
    "bincount histc msort nanmedian cummax cummin": _DATA,
    "alphadropout bernoulli dropblock featuredropout featurealphadropout fractionalmaxpool "
    "gaussiandropout gaussiannoise gumbelsoftmax multinomial noise normal patchdropout poisson "
    "rand randint randn randperm binomial randomnormal randomnormallike randomuniform "
    "randomuniformlike randlike randnlike randintlike rrelu": _RANDOM,
    "quantizepertensor quantizeperchannel quantizepertensordynamic "
    "convinteger dequantize dequantizelinear dynamicquantizelinear matmulinteger qlinearconv "
    "qlinearmatmul quantizelinear": _QUANTISED,
    "dft fft ifft istft melspectrogram stft stftspectrogram": _FOURIER,
    "arrayfeatureextractor castmap categorymapper dictvectorizer featurevectorizer imputer "
    "labelencoder linearclassifier linearregressor normalizer scaler svmclassifier svmregressor "
    "treeensemble treeensembleclassifier treeensembleregressor zipmap": _CLASSICAL,
    "regexfullmatch stringconcat stringnormalizer stringsplit tfidfvectorizer": _TEXTS,
    "concatfromsequence optional optionalgetelement optionalhaselement sequenceat "
    "sequenceconstruct sequenceempty sequenceerase sequenceinsert sequencelength sequencemap "
    "splittosequence": _LISTS,
    "bitcast bitshift bitwiseand bitwisenot bitwiseor bitwisexor bitwiseleftshift "
    "bitwiserightshift": _BITS,
    "ceil floor round trunc frac fix stair": _ROUNDED,
    "mod remainder fmod floordivide": _ROUNDED,
    "minibatchstddev": _BATCH,
    "loop scan whileloop cond": _LOOP,
    "evonorm": f"{NOT_YET}: EvoNorm-B0 keeps statistics of its own, which no block can; EvoNorm-S0 "
    "is a product of `sigmoid` and of a division by deviations over `reshape`d groups",
    "flip reversesequence fliplr flipud rot90": f"{NOT_YET}: the order of cells stays, but for "
    "`permute` and `slice` with a step",
    "acos asin atan atan2 arccos arcsin arctan arctan2": f"{NOT_YET}: of the functions of angles "
    "there are `sin` and `cos`",
    "det inverse inv cholesky qr svd lu lusolve eig eigh pinverse matrixexp matrixpower "
    "choleskyinverse choleskysolve nuclearnorm logdet slogdet triangularsolve orgqr ormqr "
    "geqrf": f"{NOT_YET}: of matrices there is the product, `matmul`",
    "causalconvwithstate convlstm crnn mamba": f"{NOT_YET}: what runs along an axis with a state "
    "is `lstm`, `gru` or `rnn`, on [T, F]",
    "groupedmm scaledgroupedmm scaledmm": f"{NOT_YET}: a product of matrices is `(a, b) -> matmul`",
    "angle complex conj conjphysical imag real isreal polar viewascomplex viewasreal": "there "
    "are no "
    "complex numbers: their two parts are values, or halves of one",
    "digamma lgamma mvlgamma polygamma igamma igammac i0 erfinv sinc xlogy logaddexp2 copysign "
    "frexp "
    "ldexp nextafter gcd lcm cross aminmax nanmean nansum": f"{NOT_YET}: of special functions "
    f"there "
    "is `erf`",
    "detach": f"{NOT_YET}: gradients go through every layer; train with "
    "`parameter.requires_grad = False`",
    "acts crossmaplrn2d imagedecoder kan localavgpool": NOT_YET,
}
"""By names in lower case, without underscores: what to say of them."""
