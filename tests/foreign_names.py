"""What other frameworks call their layers; those of packages at hand are read from them."""

from __future__ import annotations

import inspect
import re


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


KERAS = words("""
Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop
Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D
ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D
Discretization Dot Dropout EinsumDense ELU Embedding Equalization Flatten GaussianDropout
GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention GRU
GRUCell HashedCrossing Hashing Identity Input IntegerLookup Lambda LayerNormalization LeakyReLU
LSTM LSTMCell Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp
MultiHeadAttention Multiply Normalization Permute Pipeline PReLU RandAugment RandomBrightness
RandomContrast RandomCrop RandomFlip RandomHue RandomRotation RandomTranslation RandomZoom ReLU
RepeatVector Rescaling Reshape Resizing RMSNormalization RNN SeparableConv1D SeparableConv2D
SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D
SpectralNormalization StackedRNNCells STFTSpectrogram StringLookup Subtract TextVectorization
ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D
ZeroPadding1D ZeroPadding2D ZeroPadding3D
""")

CAFFE = words("""
AbsVal Accuracy ArgMax BatchNorm Bias BNLL Clip Concat ContrastiveLoss Convolution Crop Data
Deconvolution Dropout Eltwise ELU Embed EuclideanLoss Exp Filter Flatten HingeLoss Im2col
InfogainLoss InnerProduct Input Log LRN LSTM MultinomialLogisticLoss MVN Parameter Pooling Power
PReLU Python Recurrent Reduction ReLU Reshape RNN Scale Sigmoid SigmoidCrossEntropyLoss Silence
Slice Softmax SoftmaxWithLoss Split SPP Swish TanH Threshold Tile
""")

DARKNET = words("""
activation avgpool batchnorm connected conv conv_lstm convolutional cost crnn crop deconvolutional
detection dropout elu gaussian_yolo gelu gru hard_mish hardtan implicit_add implicit_mul l2norm
leaky lhtan local local_avgpool logistic loggy lrn lstm maxpool mish plse ramp region relie relu
relu6 reorg rnn route sam scale_channels selu shortcut softmax stair swish tanh upsample yolo
""")

COMMON = words("""
rope blurpool rms_norm swiglu geglu crelu lrelu cbam eca grn layer_scale pos_embed dwconv gem
rotary_embedding weight_norm spectral_norm adain film stn mamba maxout unpool subpixel upconv
""")

SAME_THING = {
    "conv": "Conv1D Conv2D Conv3D Convolution conv1d conv2d conv3d convolution convolutional",
    "conv_transpose": "Conv1DTranspose Conv2DTranspose Conv3DTranspose Deconvolution conv_transpose1d conv_transpose2d conv_transpose3d deconvolutional upconv",
    "avgpool": "AveragePool AveragePooling1D AveragePooling2D AveragePooling3D avg_pool1d avg_pool2d avg_pool3d",
    "maxpool": "MaxPooling1D MaxPooling2D MaxPooling3D max_pool1d max_pool2d max_pool3d",
    "lppool": "lp_pool1d lp_pool2d lp_pool3d",
    "adaptive_maxpool": "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    "adaptive_avgpool": "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
    "channel_dropout": "SpatialDropout1D SpatialDropout2D SpatialDropout3D dropout1d dropout2d dropout3d feature_dropout",
    "lrn": "local_response_norm",
    "channel_shuffle": "native_channel_shuffle",
    "upsample": "UpSampling1D UpSampling2D UpSampling3D interpolate upsample_nearest",
    "batchnorm": "BatchNormalization",
    "groupnorm": "GroupNormalization",
    "instancenorm": "InstanceNormalization",
    "layernorm": "LayerNormalization",
    "silu": "Swish swish",
    "mean": "Average ReduceMean",
    "sum": "ReduceSum",
    "clamp": "Clip clip",
    "abs": "AbsVal absolute",
    "rmsnorm": "RMSNormalization",
    "concat": "Concatenate cat concatenate",
    "linear": "Dense InnerProduct connected",
    "global_avgpool": "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
    "global_maxpool": "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D",
    "max": "Maximum ReduceMax amax maximum",
    "min": "Minimum ReduceMin amin minimum",
    "attention": "MultiHeadAttention",
    "attend": "scaled_dot_product_attention",
    "matmul": "bmm mm",
    "rnn": "SimpleRNN",
    "mul": "Multiply multiply",
    "sub": "Subtract subtract",
    "pad": "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
    "embedding": "Embed",
    "hardtanh": "hardtan",
    "sigmoid": "logistic",
    "add": "shortcut",
    "leaky_relu": "lrelu",
    "fold": "Col2Im",
    "less": "lt",
    "greater": "gt",
    "equal": "eq",
    "div": "divide",
    "max_unpool": "max_unpool1d max_unpool2d max_unpool3d",
    "pixel_shuffle": "subpixel",
}
"""What another name is offered for, sorted: the same thing by the docs of both."""


def torch_names() -> list[str]:
    """The modules of `torch.nn`, and the functions of `torch.nn.functional`."""
    import torch.nn.functional as F
    from torch import nn

    modules = [n for n, v in vars(nn).items() if inspect.isclass(v) and issubclass(v, nn.Module)]
    functions = [
        n
        for n, v in vars(F).items()
        if callable(v) and not inspect.isclass(v) and not n.startswith("_") and n != "Optional"
        and "torch_function" not in n and n not in ("boolean_dispatch", "assert_int_or_pair")
    ]  # fmt: skip
    return modules + functions


def torch_functions() -> list[str]:
    """The functions of values that `torch` itself has, but those that a name marks as inner ones."""
    import torch

    inner = re.compile(
        r"^_|_$|_copy$|^(cudnn|mkldnn|miopen|fbgemm|quantized|sym|q|sparse|native|choose|fake|"
        r"fused|get|set|is|result|promote|can|cartesian|rnn|batch_norm|unsafe|resolve|from|hash|as_strided)_|"
        r"^(combinations|frombuffer|int_repr|lu_unpack|slice_inverse|empty_(permuted|quantized|strided)|"
        r"(ds|hs|sa|s|ss)(mm|pmm|ddmm|paddmm))$"
    )
    names = (n for n in dir(torch._C._VariableFunctions) if not inner.search(n))
    return [n for n in names if callable(getattr(torch, n, None))]


def onnx_names() -> list[str]:
    """The operators of ONNX, those of other domains included."""
    import onnx.defs

    return sorted({schema.name for schema in onnx.defs.get_all_schemas()} - {"If"})


def timm_names() -> list[str]:
    """The modules of `timm.layers`."""
    import timm.layers
    from torch import nn

    return [
        n for n, v in vars(timm.layers).items() if inspect.isclass(v) and issubclass(v, nn.Module)
    ]
