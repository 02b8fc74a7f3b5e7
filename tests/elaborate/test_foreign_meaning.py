"""Layers of other frameworks: what is suggested computes the same, or the message says what differs."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.elaborate.foreign import names
from netdsl.elaborate.foreign_meaning import ANY_LAYER, OTHER_MEANING
from netdsl.ops import registry
from netdsl.ops.op_parameters import parameters

OTHERWISE = {
    "UpSampling2D(size=(3, 3))": "a factor, here `scale`",
    "UpSampling1D(size=3)": "a factor, here `scale`",
    "Upsample(64)": "first argument is the size",
    "UpsamplingBilinear2d(scale_factor=2)": "align_corners=true",
    "interpolate(64)": "first argument is the size",
    "BatchNormalization": "(eps=0.001, momentum=0.01)`",
    "BatchNormalization(momentum=0.99)": "1 minus that",
    "LayerNormalization": "`layernorm(eps=0.001)`",
    "GroupNorm(3, 3)": "`groupnorm(groups)`",
    "Dropout(keep_prob=0.8)": "1 - `keep_prob`",
    "dropout(keep_prob=0.8)": "1 - `keep_prob`",
    "LeakyReLU": "Keras's has the slope 0.3",
    "Concatenate(axis=-1)": "`axis=channels`",
    "concat(dim=1)": "`dim=1` is `axis=channels`",
    "Softmax(dim=1)": "`dim=1` is `axis=channels`",
    "conv(8, 3, pad=1)": "`padding=kernel // 2`",
    "Embedding(input_dim=10, output_dim=3)": "called `count`",
    "embedding(input_dim=10, output_dim=3)": "called `count`",
    "depth_to_space(2)": "order of channels",
    "reorg(2)": "order of channels",
    "Conv(8, 3, auto_pad=SAME_UPPER)": "`padding=same_upper`",
    "conv(8, 3, padding=SAME)": "Keras's is `padding=same_upper`",
    "maxpool(3, padding=SAME_LOWER)": "an odd cell in front",
    "Conv2dSame(8, 3)": "padding=same_upper)`",
    "nn.Unfold(3, 2)": "the dilation; here it is the stride",
    "Fold((8, 8), 3)": "the size; here it is the kernel",
    "MaxUnpool": "ONNX's go on through all maps",
    "unpooling(2)": "the places that `maxpool(2, indices=true)` gives",
    "max_pool2d_with_indices(2)": "gives the places as a second result",
    "im2col(3)": "`unfold(3)`",
    "narrow(1, 2, 3)": "`slice(1, 2, 5)`",
    "Reshape(target_shape=[3, 64])": "the channels come first",
    "LocalResponseNorm(depth_radius=5)": "`2 * depth_radius + 1`",
    "lrn(depth_radius=5)": "`2 * depth_radius + 1`",
    'Activation("relu")': "by its own name: `relu`",
    "Pooling(2)": "ceil_mode=true)`",
    "Eltwise(operation=PROD)": "write `add`, `mul` or `max`",
    "upsampling2d(size=(3, 3))": "a factor, here `scale`",
    "UpSamplng2D(size=(3, 3))": "a factor, here `scale`",
    "layers.UpSampling2D(size=3)": "a factor, here `scale`",
    "nn.Upsample(64)": "first argument is the size",
    "F.interpolate(64)": "first argument is the size",
    "Upsampl(64)": "first argument is the size",
    "upsampl2d(64)": "first argument is the size",
    "upsample(stride=2)": "here `scale`",
    "Conv2d(3, 64, 3)": "`conv(channels, kernel, stride)`",
    "nn.Conv2d(3, 64, 3)": "`conv(channels, kernel, stride)`",
    "ConvTranspose2d(3, 64, 2)": "`conv_transpose(channels, kernel, stride)`",
    "nn.Linear(8, 10)": "`linear(features)`",
    "Dense(8, relu)": "`-> relu`",
    "BatchNorm2d(64)": "`batchnorm` alone",
    "SyncBatchNorm(64)": "`batchnorm` alone",
    "InstanceNorm2d(64)": "`instancenorm` alone",
    "LayerNorm(64)": "here it is the axis",
    "layernorm(normalized_shape=64)": "the axis is named here",
    "RMSNorm(64)": "here it is the axis",
    "ReduceMean(axes=[1])": "are `axis=channels`",
    "mean(axes=[1, 2])": "are `axis=channels`",
    "MultiheadAttention(512, 8)": "`attention(heads)`",
    "MultiheadAttention(8, attn_mask=x)": "PyTorch's masks hide what is true",
    "attention(8, key_padding_mask=x)": "PyTorch's masks hide what is true",
    "scaled_dot_product_attention(attn_mask=x)": "means the same",
    "LSTM(64, 128)": "`lstm(hidden)`",
    "lstm(4, return_sequences=true)": "`slice(0, -1)`",
    "gru(4, initial_state=x)": "`start=h`",
    "MaxPool(kernel_shape=2)": "stride is 1",
    "AveragePool(kernel_shape=2)": "stride is 1",
    "Concat(axis=1)": "are `axis=channels`",
    "LogSoftmax(axis=1)": "are `axis=channels`",
    "chunk(3, dim=1)": "`dim=1` is `axis=channels`",
    "Permute((2, 1))": "counts from 1",
    "Permute(dims=(2, 1))": "counts from 1",
    "Flatten(start_dim=1)": "leave it out",
    "BatchNorm(moving_average_fraction=0.99)": "1 minus that",
    "PReLU(shared_axes=[1, 2])": "one slope",
}
"""What says that it means another thing there."""

SAME = {
    "Conv2D(filters=8, kernel_size=3, strides=2, use_bias=false)": [
        "channels",
        "kernel",
        "stride",
        "bias",
    ],
    "MaxPooling2D(pool_size=2, strides=2)": ["kernel", "stride"],
    "Dense(units=10)": ["features"],
    "InnerProduct(num_output=10)": ["features"],
    "Dropout(rate=0.2)": ["p"],
    "LeakyReLU(alpha=0.3)": ["slope"],
    "UpSampling2D(3, interpolation=bilinear)": ["mode"],
    "Upsample(scale_factor=1.5)": ["scale"],
    "DropPath(drop_prob=0.2)": ["p"],
    "nn.LSTM(hidden_size=4, num_layers=2)": ["hidden", "layers"],
    "SimpleRNN(units=4)": ["hidden"],
}
"""Arguments that are only called otherwise, and what they are called here."""


def said(stage: str) -> list[netdsl.Diagnostic]:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(f"net A {{\n    input x: [3, 8, 8]\n    output y = x -> {stage}\n}}")
    return list(caught.value.diagnostics)


@pytest.mark.parametrize("stage", OTHERWISE)
def test_what_means_another_thing_is_told_and_not_rewritten(stage: str) -> None:
    found = said(stage)
    texts = [text for d in found for text in (*d.notes, *d.help)]
    assert any(OTHERWISE[stage] in text for text in texts), texts
    whole = "(" not in stage or stage.startswith(("depth", "reorg", "Pooling", "UpsamplingB"))
    assert whole or all(d.fix is None for d in found)
    assert all(d.fix is None or not d.fix.safe for d in found)


@pytest.mark.parametrize("stage", SAME)
def test_other_names_of_the_same_are_told(stage: str) -> None:
    (found,) = said(stage)
    assert [n.split("`")[3] for n in found.notes if "is called" in n] == SAME[stage]
    assert not any("Keras" in n for n in found.notes)
    assert found.fix is not None


def test_a_factor_of_keras_written_so_makes_the_size_of_keras() -> None:
    net = netdsl.loads("net A { input x: [3, 8, 8]; output y = x -> upsample(3x3) }")
    assert net.outputs[0].shape == (3, 24, 24)


def test_bilinear_upsampling_of_pytorch_is_as_the_message_says() -> None:
    torch = pytest.importorskip("torch")
    net = netdsl.loads(
        "net A { input x: [3, 8, 8]; output y = x -> upsample(2, mode=bilinear, align_corners=true) }"
    )
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(net.torch()(x), torch.nn.UpsamplingBilinear2d(scale_factor=2)(x))


def test_what_differs_of_a_layer_comes_with_its_name() -> None:
    (found,) = said("UpSampling2D(size=(3, 3))")
    assert found.help == ("did you mean `upsample`?",)
    assert found.notes == ("`size`: Keras' `size` is a factor, here `scale`: `upsample(3)`",)
    (found,) = said("nn.Conv2d(out_channels=8, kernel_size=3)")
    assert found.notes == (
        "`out_channels` is called `channels`",
        "`kernel_size` is called `kernel`",
    )
    assert found.fix is not None


def test_a_layer_that_is_given_for_a_parameter_is_answered_alike() -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(
            "block B(up: layer) { up }\n"
            "net A { input x: [3, 8, 8]; output y = x -> B(UpSampling2D(size=(3, 3))) }"
        )
    (found,) = caught.value.diagnostics
    assert found.fix is None
    assert "a factor, here `scale`" in found.notes[0]


@pytest.mark.parametrize(
    "stage",
    ["conv(8, 3, dim=1)", "relu(pad=1)", "B(pad=1)", "B(kernel_shape=3)", "maxpol(kernel=2)",
     "softmx(axis=-1)", "CONCA(axis=1)", "UPSAMPLING(size=3)"],
)  # fmt: skip
def test_a_parameter_that_is_not_there_is_no_other_meaning(stage: str) -> None:
    """No advice on a parameter that the layer lacks, nor of a block of the file."""
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(
            "block B(p: int = 1) { relu }\nblock Conca(axis: int = 0) { relu }\n"
            "block UpSampling(size: int = 0) { relu }\n"
            f"net A {{\n    input x: [3, 8, 8]\n    output y = x -> {stage}\n}}"
        )
    texts = [text for d in caught.value.diagnostics for text in (*d.notes, *d.help)]
    said = ("counted without", "counts cells", "ONNX", "factor")
    assert not any(each in text for text in texts for each in said), texts


def test_each_name_of_the_table_is_one_that_is_answered() -> None:
    known = {*names(), *registry(), "upsamplingbilinear"}
    listed = [name for key in OTHER_MEANING for name in key.split()]
    assert set(listed) <= known
    assert len(listed) == len(set(listed))
    there = {p.name for op in registry().values() for p in parameters(op)}
    assert {ours for ours, _ in ANY_LAYER.values()} <= there
