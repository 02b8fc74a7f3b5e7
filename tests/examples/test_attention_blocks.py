"""Blocks with attention in the library against PyTorch, torchvision and timm: keys, numbers, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import netdsl
from tests.examples import norm_constants, restless

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import check_file, session  # noqa: E402
from tests.torchvision_models import torchvision_models  # noqa: E402

nn = torch.nn
USES = "".join(
    f"use std.{name}\n" for name in ("maxvit", "mobilevit", "swin", "transformer", "vit")
)


def unit(stage: str, inputs: str, flow: str = "x") -> netdsl.Network:
    """A block by itself, as the part `unit` of a net."""
    return netdsl.loads(f"{USES}net Unit {{\n{inputs}\noutput y = {flow} -> unit: {stage}\n}}")


def timm(module: str) -> Any:
    torchvision_models()
    pytest.importorskip("timm")
    return __import__(f"timm.{module}", fromlist=["_"])


def close(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).detach().abs().max()) <= 2e-5 * float(
        expected.detach().abs().max()
    )


def with_same_weights(network: netdsl.Network, theirs: Any) -> Any:
    """Our module with the weights of another, loaded strictly."""
    ours = network.torch(seed=1)
    ours.unit.load_state_dict(restless(theirs).state_dict(), strict=True)
    ours_and_theirs = (norm_constants(module).values() for module in (ours, theirs))
    assert len({str(sorted(map(str, constants))) for constants in ours_and_theirs}) == 1
    return ours.eval()


def assert_equal(network: netdsl.Network, ours: Any, call: Callable[..., Any], *xs: Any) -> None:
    """The same outputs and gradients as the call of another module, and in ONNX Runtime."""
    wanted = call(*xs)
    close(ours(*xs), wanted)
    leaves = [[x.clone().requires_grad_(x.is_floating_point()) for x in xs] for _ in range(2)]
    for run, own in zip((ours, call), leaves, strict=True):
        run(*own).square().sum().backward()
    for mine, other in zip(*leaves, strict=True):
        if mine.requires_grad:
            close(mine.grad, other.grad)
    model = network.onnx(ours)
    check_file(model)
    given = {item.name: x.numpy() for item, x in zip(network.inputs, xs, strict=True)}
    close(torch.from_numpy(session(model.SerializeToString()).run(None, given)[0]), wanted)


# --- PyTorch's layers ------------------------------------------------------------------------

SETTINGS = {
    "": {},
    ", act=gelu, norm_first=true": {"activation": "gelu", "norm_first": True},
}


@pytest.mark.parametrize("words", SETTINGS)
@pytest.mark.parametrize("mask", ["", "keys", "pairs", "causal"])
def test_encoder_layer(words: str, mask: str) -> None:
    stage = f"TransformerEncoderLayer(4, hidden=20{words}{', causal=true' * (mask == 'causal')})"
    shapes = {"keys": "[T]", "pairs": "[T, T]"}
    inputs = "input x: [T, 12]" + (f"\ninput m: bool {shapes[mask]}" if mask in shapes else "")
    network = unit(stage, inputs, "(x, m)" if mask in shapes else "x")
    theirs = nn.TransformerEncoderLayer(12, 4, 20, batch_first=True, **SETTINGS[words])
    ours = with_same_weights(network, theirs)
    for count in (1, 5):
        x = torch.randn(3, count, 12)
        if mask == "keys":
            seen = torch.arange(count) < torch.tensor([[count], [count], [max(count - 2, 1)]])
            assert_equal(network, ours, lambda x, m: theirs(x, src_key_padding_mask=~m), x, seen)
        elif mask == "pairs":
            seen = (torch.rand(count, count) < 0.5) | torch.eye(count, dtype=torch.bool)
            assert_equal(
                network, ours, lambda x, m: theirs(x, ~m[0]), x, seen.expand(3, -1, -1).clone()
            )
        else:
            hidden = torch.ones(count, count, dtype=torch.bool).triu(1) if mask else None
            assert_equal(network, ours, lambda x, hidden=hidden: theirs(x, hidden), x)


@pytest.mark.parametrize("words", SETTINGS)
@pytest.mark.parametrize("mask", ["", "keys"])
def test_decoder_layer(words: str, mask: str) -> None:
    stage = f"TransformerDecoderLayer(4, hidden=20, causal=true{words})"
    inputs = "input x: [T, 12]\ninput memory: [S, 12]" + "\ninput m: bool [S]" * bool(mask)
    network = unit(stage, inputs, "(x, memory, m)" if mask else "(x, memory)")
    theirs = nn.TransformerDecoderLayer(12, 4, 20, batch_first=True, **SETTINGS[words])
    ours = with_same_weights(network, theirs)
    for count, keys in ((1, 4), (5, 3)):
        hidden = torch.ones(count, count, dtype=torch.bool).triu(1)
        xs = torch.randn(2, count, 12), torch.randn(2, keys, 12)
        if mask:
            seen = torch.arange(keys) < torch.tensor([[keys], [1]])
            assert_equal(
                network,
                ours,
                lambda x, y, m, hidden=hidden: theirs(x, y, hidden, memory_key_padding_mask=~m),
                *xs,
                seen,
            )
        else:
            assert_equal(network, ours, lambda x, y, hidden=hidden: theirs(x, y, hidden), *xs)


# --- timm and torchvision ----------------------------------------------------------------------

TOKENS = {
    "ViTAttention(3)": (
        "input x: [T, 12]", "layers", lambda m: m.Attention(12, 3, qkv_bias=True), (5, 12)
    ),
    "ViTAttention(3, bias=false)": (
        "input x: [T, 12]", "layers", lambda m: m.Attention(12, 3), (5, 12)
    ),
    "ViTBlock(3, scale=0.1)": (
        "input x: [T, 12]", "models.vision_transformer",
        lambda m: m.Block(12, 3, qkv_bias=True, init_values=0.1), (5, 12),
    ),
    "ViTBlock(3, ratio=2.5, act=silu, eps=1e-5, bias=false)": (
        "input x: [T, 12]", "models.vision_transformer",
        lambda m: m.Block(12, 3, mlp_ratio=2.5, act_layer=nn.SiLU,
                          norm_layer=lambda n, **_: nn.LayerNorm(n)), (5, 12),
    ),
    "BeitAttention(3, 4)": (
        "input x: [17, 12]", "models.beit",
        lambda m: m.Attention(12, 3, qkv_bias=True, window_size=(4, 4)), (17, 12),
    ),
    "BeitBlock(3, 4)": (
        "input x: [17, 12]", "models.beit",
        lambda m: m.Block(12, 3, qkv_bias=True, window_size=(4, 4), init_values=0.1,
                          norm_layer=lambda n, **_: nn.LayerNorm(n, eps=1e-6)), (17, 12),
    ),
}  # fmt: skip
"""Inputs, a module of timm, what makes theirs, the shape of an input."""


@pytest.mark.parametrize("stage", TOKENS)
def test_blocks_of_timm_on_tokens(stage: str) -> None:
    inputs, home, make, shape = TOKENS[stage]
    torch.manual_seed(0)
    theirs = make(timm(home))
    for key, value in theirs.named_parameters():
        if "table" in key or "gamma" in key:
            nn.init.normal_(value)
    network = unit(stage, inputs)
    assert_equal(network, with_same_weights(network, theirs), theirs, torch.randn(2, *shape))


@pytest.mark.parametrize("patch", [2, 3])
def test_mobilevit(patch: int) -> None:
    """Also at sizes that patches do not fill."""
    home = timm("models.mobilevit")
    layers = timm("models.byobnet").LayerFn
    torch.manual_seed(0)
    made = home.MobileVitBlock(
        8, transformer_dim=12, patch_size=patch, num_heads=3,
        layers=layers(act=nn.SiLU, conv_norm_act=home_conv(nn.SiLU)),
    )  # fmt: skip
    network = unit(f"MobileViTBlock(12, 2, heads=3, patch={patch})", "input x: [8, H, W]")
    ours = with_same_weights(network, made)
    for size in ((6, 12), (5, 8), (1, 1)):
        assert_equal(network, ours, made, torch.randn(2, 8, *size))


def home_conv(act: Any) -> Any:
    """timm's unit of convolution, norm and activation."""
    from functools import partial

    return partial(timm("layers").ConvNormAct, act_layer=act)


@pytest.mark.parametrize("kind", ["window", "grid"])
def test_partitions_of_maxvit(kind: str) -> None:
    """torchvision's is made for one size; its weights serve all."""
    torchvision_models()
    from torchvision.models.maxvit import PartitionAttentionLayer

    network = unit(f"{kind.title()}Partition(3, 2)", "input x: [12, H, W]")
    ours = None
    for height, width in ((4, 4), (8, 8), (2, 2)):
        torch.manual_seed(0)
        theirs = PartitionAttentionLayer(
            12, 4, 2, kind, (height, width), 4, nn.GELU, nn.LayerNorm, 0.0, 0.0, 0.0
        )
        ours = with_same_weights(network, theirs)
        assert_equal(network, ours, theirs, torch.randn(2, 12, height, width))
    assert str(network.sizes) == "H and W multiples of 2"


@pytest.mark.parametrize("kind", ["window", "grid"])
def test_partitions_of_maxvit_on_maps_that_are_not_square(kind: str) -> None:
    """A grid is windows of another order of rows and columns; torchvision's takes square ones only."""
    torchvision_models()
    from torchvision.models.maxvit import PartitionAttentionLayer

    network, size = unit(f"{kind.title()}Partition(3, 2)", "input x: [12, H, W]"), (4, 10)
    torch.manual_seed(0)
    theirs = PartitionAttentionLayer(
        12, 4, 2, "window", size, 4, nn.GELU, nn.LayerNorm, 0.0, 0.0, 0.0
    )
    rows, columns = (
        torch.arange(n).view(2, -1).t().flatten() if kind == "grid" else torch.arange(n)
        for n in size
    )

    def call(x: Any) -> Any:
        found = theirs(x[:, :, rows][:, :, :, columns])
        return found[:, :, rows.argsort()][:, :, :, columns.argsort()]

    ours = with_same_weights(network, theirs)
    assert_equal(network, ours, call, torch.randn(2, 12, *size))


ROTARY = """
use std.vit (RotaryBlock, RotaryPlaces)
net Unit {
    input map: [24, H, W]
    x = map -> reshape([24, H * W]) -> permute([1, 0])
    first = x -> slice(0, 0, 1)
    (cosine, sine) = map -> RotaryPlaces(4, still=2)
    output y = ((first, first, x) -> concat(axis=0), cosine, sine) -> unit: RotaryBlock(3, ratio=2.5)
}
"""


def test_rotary_block() -> None:
    """The block of DINOv3, with two tokens in front that have no place."""
    home = timm("models.eva")
    torch.manual_seed(0)
    places = timm("layers").RotaryEmbeddingDinoV3(8, temperature=100.0)
    theirs = home.EvaBlock(
        24, 3, qkv_bias=False, mlp_ratio=2.5, num_prefix_tokens=2, rotate_half=True,
        init_values=1e-5, norm_layer=lambda n, **_: nn.LayerNorm(n),
    )  # fmt: skip

    def call(x: Any) -> Any:
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens[:, :1], tokens[:, :1], tokens], 1)
        return theirs(tokens, rope=places.get_embed(x.shape[2:]))

    network = netdsl.loads(ROTARY)
    assert str(network.sizes) == "any H, any W"
    assert network.torch().unit.gamma_1.unique().tolist() == [float(torch.tensor(1e-5))]
    ours = with_same_weights(network, theirs)
    for size in ((3, 5), (4, 2), (1, 1), (20, 33)):
        assert_equal(network, ours, call, torch.randn(2, 24, *size))


@pytest.mark.parametrize(
    ("channels", "stride", "drop"), [(16, 2, 0.0), (16, 1, 0.1), (12, 1, 0.1), (12, 2, 0.0)]
)
def test_convolutions_of_maxvit(channels: int, stride: int, drop: float) -> None:
    """With a projection, with one of the channels alone, and with none."""
    torchvision_models()
    from torchvision.models.maxvit import MBConv

    torch.manual_seed(0)
    theirs = MBConv(
        12, channels, 4, 0.25, stride, nn.GELU,
        lambda n: nn.BatchNorm2d(n, eps=0.001, momentum=0.01), drop,
    )  # fmt: skip
    network = unit(f"MaxViTConv({channels}, stride={stride}, drop={drop})", "input x: [12, H, W]")
    ours = with_same_weights(network, theirs)
    for size in ((6, 8), (7, 5), (1, 1)):
        assert_equal(network, ours, theirs, torch.randn(2, 12, *size))


@pytest.mark.parametrize(("channels", "stride"), [(8, 1), (12, 1), (8, 2)])
def test_bottleneck_of_mobilevit(channels: int, stride: int) -> None:
    home = timm("models.byobnet")
    torch.manual_seed(0)
    layers = home.LayerFn(act=nn.SiLU, conv_norm_act=home_conv(nn.SiLU))
    theirs = home.BottleneckBlock(
        8, channels, stride=stride, bottle_ratio=4.0, group_size=1, downsample="", layers=layers,
        bottle_in=True, linear_out=True,
    )  # fmt: skip
    network = unit(f"MobileViTUnit({channels}, stride={stride})", "input x: [8, H, W]")
    ours = with_same_weights(network, theirs)
    for size in ((6, 8), (7, 5), (1, 1)):
        assert_equal(network, ours, theirs, torch.randn(2, 8, *size))


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_window_attention_by_cosines(shift: int) -> None:
    torchvision_models()
    from torchvision.models.swin_transformer import ShiftedWindowAttentionV2

    torch.manual_seed(0)
    theirs = ShiftedWindowAttentionV2(12, [4, 4], [shift, shift], 3)
    network = unit(f"window_attention(3, 4, shift={shift}, cosine=true)", "input x: [H, W, 12]")
    ours = network.torch(seed=0)
    assert torch.equal(ours.unit.relative_coords_table, theirs.relative_coords_table), (
        "the buffer is made, not only loaded"
    )
    assert torch.equal(ours.unit.relative_position_index, theirs.relative_position_index)
    nn.init.uniform_(theirs.logit_scale, 0.0, 6.0)  # some are cut at the greatest
    ours = with_same_weights(network, theirs)
    for size in ((8, 8), (7, 9), (3, 13), (1, 4)):
        assert_equal(network, ours, theirs, torch.randn(2, *size, 12))


@pytest.mark.parametrize(
    ("stage", "make"),
    [
        (
            "SwinBlockV2(3, window=4, shift=2)",
            lambda m: m.SwinTransformerBlockV2(12, 3, [4, 4], [2, 2]),
        ),
        ("PatchMergingV2", lambda m: m.PatchMergingV2(12)),
    ],
)
def test_blocks_of_swin_v2(stage: str, make: Callable[[Any], Any]) -> None:
    torchvision_models()
    import torchvision.models.swin_transformer as home

    torch.manual_seed(0)
    theirs = make(home)
    network = unit(stage, "input x: [H, W, 12]")
    ours = with_same_weights(network, theirs)
    for size in ((8, 8), (7, 9), (1, 3)):
        assert_equal(network, ours, theirs, torch.randn(2, *size, 12))


def test_exported_without_a_checkpoint() -> None:
    """Buffers that the file makes itself are those of the module."""
    network = unit("window_attention(3, 4, cosine=true)", "input x: [H, W, 12]")
    stored = {t.name: t for t in network.onnx().graph.initializer}
    onnx = pytest.importorskip("onnx")
    state = network.torch().state_dict()
    for key in ("unit.relative_coords_table", "unit.relative_position_index", "unit.logit_scale"):
        found = torch.from_numpy(onnx.numpy_helper.to_array(stored[key]).copy())
        torch.testing.assert_close(found, state[key])
