"""Small cfg files: shapes, keys and numbers of each layer, against Darknet's own formulas."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import netdsl
from netdsl import Network
from netdsl.importers.frontend import Question
from netdsl.importers.imported import Imported, read
from tests.importers import darknet_by_hand as by_hand

NET = "[net]\nwidth={width}\nheight={height}\nchannels={channels}\n"


def layer(kind: str, **options: object) -> str:
    lines = [f"{key}={value}" for key, value in options.items()]
    return "\n".join([f"[{kind}]", *lines, ""])


def text(*layers: str, channels: int = 4, height: int = 9, width: int = 8) -> str:
    return NET.format(channels=channels, height=height, width=width) + "\n".join(layers)


def read_text(tmp_path: Path, cfg: str, weights: Path | None = None) -> Imported:
    path = tmp_path / "small-net.cfg"
    path.write_text(cfg)
    return read(Question(str(path), weights=str(weights) if weights else None))


def network(tmp_path: Path, cfg: str) -> Network:
    return netdsl.loads(read_text(tmp_path, cfg).text)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def write(path: Path, parts: Sequence[np.ndarray], header: bytes | None = None) -> Path:
    head = struct.pack("<iiiq", 0, 2, 5, 64) if header is None else header
    path.write_bytes(head + b"".join(part.astype("<f4").tobytes() for part in parts))
    return path


def run(imported: Imported | Network, x: np.ndarray) -> np.ndarray:
    """What a network gives for one sample; its weights are those that were read."""
    if isinstance(imported, Imported):
        held = imported.answer.numbers
        assert held is not None
        weights = {key: get() for key, get in held.items()}
        module = netdsl.loads(imported.text).torch(weights=weights)
    else:
        module = imported.torch(seed=0)
    with torch.no_grad():
        return module.eval()(torch.from_numpy(x)[None]).numpy()[0]


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


# --- layers without weights ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["maxpool", "local_avgpool"])
@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [
        (2, 2, None), (2, 1, None), (3, 2, None), (3, 1, None), (5, 1, None), (13, 1, None),
        (4, 1, None), (4, 2, None), (3, 3, None), (2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 3, 1),
        (5, 3, 3), (3, 1, 1), (4, 4, 3), (3, 2, 4), (6, 2, 5), (1, 1, None), (1, 2, None),
    ],
)  # fmt: skip
def test_pools_pad_as_darknet_does(
    tmp_path: Path, kind: str, size: int, stride: int, padding: int | None
) -> None:
    options = {"size": size, "stride": stride} | ({} if padding is None else {"padding": padding})
    cfg = text(layer(kind, **options), height=14, width=13)
    total = size - 1 if padding is None else padding
    unlike = kind == "local_avgpool" and (
        (total % 2 and not (stride == 2 or (stride == 1 and total == size - 1)))
        or total // 2 > size // 2
    )
    if unlike:
        with pytest.raises(netdsl.DiagnosticError, match="no word for a mean with `padding="):
            read_text(tmp_path, cfg)
        return
    ours = network(tmp_path, cfg)
    for height, width in (14, 13), (13, 16), (15, 15):
        x = numbers(4, height, width)
        expected = by_hand.pool(x, size, (stride, stride), total, mean=kind == "local_avgpool")
        close(run(ours, x), expected)


def test_pools_have_steps_of_their_own(tmp_path: Path) -> None:
    ours = network(tmp_path, text(layer("maxpool", size=3, stride=1, stride_x=2, stride_y=3)))
    x = numbers(4, 9, 8)
    close(run(ours, x), by_hand.pool(x, 3, (3, 2), 2, mean=False))
    assert ours.outputs[0].shape[1] != ours.outputs[0].shape[2]


@pytest.mark.parametrize("kind", ["reorg", "reorg3d"])
@pytest.mark.parametrize("is_reverse", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_reorg_orders_cells_as_darknet_does(
    tmp_path: Path, kind: str, is_reverse: bool, stride: int
) -> None:
    channels = stride**4 if is_reverse else stride**2 * 2
    options = {"stride": stride} | ({"reverse": 1} if is_reverse else {})
    cfg = text(layer(kind, **options), channels=channels, height=6, width=12)
    ours = network(tmp_path, cfg)
    for height, width in (6, 12), (12, 6), (18, 6):
        x = numbers(channels, height, width)
        is_3d = kind == "reorg3d"
        close(run(ours, x), by_hand.reorg(x, stride, is_3d=is_3d, is_reverse=is_reverse))


def test_the_two_kinds_of_reorg_differ() -> None:
    x = numbers(8, 4, 4)
    one = by_hand.reorg(x, 2, is_3d=True, is_reverse=False)
    other = by_hand.reorg(x, 2, is_3d=False, is_reverse=False)
    assert one.shape == other.shape
    assert np.abs(one - other).max() > 0.1


@pytest.mark.parametrize("name", sorted(by_hand.ACTIVATIONS))
def test_activations(tmp_path: Path, name: str) -> None:
    conv = layer("convolutional", filters=3, size=1, activation=name)
    path = write(tmp_path / "w", [np.zeros(3), np.eye(3)])
    ours = read_text(tmp_path, text(conv, channels=3, height=5, width=4), path)
    x = numbers(3, 5, 4) * 4
    close(run(ours, x), by_hand.ACTIVATIONS[name](x))


def test_an_activation_by_itself_and_the_default(tmp_path: Path) -> None:
    x = numbers(4, 9, 8)
    leaky = network(tmp_path, text(layer("activation", activation="leaky")))
    close(run(leaky, x), np.where(x > 0, x, 0.1 * x))
    assert np.array_equal(run(network(tmp_path, text(layer("activation"))), x), x)


def test_upsampling_repeats_cells_and_scales(tmp_path: Path) -> None:
    x = numbers(4, 9, 8)
    ours = run(network(tmp_path, text(layer("upsample", stride=3, scale=0.5))), x)
    close(ours, np.repeat(np.repeat(x, 3, 1), 3, 2) * 0.5)


@pytest.mark.parametrize("noadjust", [0, 1])
def test_crops_keep_the_middle(tmp_path: Path, noadjust: int) -> None:
    crop = layer("crop", crop_height=4, crop_width=5, noadjust=noadjust, flip=1, angle=7)
    ours = network(tmp_path, text(crop))
    x = numbers(4, 9, 8)
    middle = x[:, 2:6, 1:6]  # floor(5 / 2) and floor(3 / 2) cells before
    close(run(ours, x), middle if noadjust else middle * 2 - 1)
    assert list(map(str, ours.inputs[0].shape)) == ["4", "9", "8"]


def test_dropout_passes_at_inference(tmp_path: Path) -> None:
    x = numbers(4, 9, 8)
    ours = network(tmp_path, text(layer("dropout", probability=0.3)))
    assert np.array_equal(run(ours, x), x.reshape(-1))
    dropped = ours.torch(seed=0).train()(torch.from_numpy(x)[None])
    assert 0.15 < float((dropped == 0).float().mean()) < 0.45


# --- layers that take several --------------------------------------------------------------


def stack(*layers: str) -> str:
    """Layers behind a pool, so that there is something to take: layer 0 is a pool of 1."""
    return text(layer("maxpool", size=1, stride=1), *layers, channels=6)


def test_routes_join_shares_of_each_layer(tmp_path: Path) -> None:
    x = numbers(6, 9, 8)
    first = layer("activation", activation="relu")
    joined = stack(first, layer("route", layers="-1, 0"))
    close(run(network(tmp_path, joined), x), np.concatenate([np.maximum(x, 0), x]))
    parts = stack(first, layer("route", layers="-1,0", groups=3, group_id=1))
    expected = np.concatenate([np.maximum(x, 0)[2:4], x[2:4]])
    close(run(network(tmp_path, parts), x), expected)
    alone = stack(first, layer("route", layers="0"))
    assert np.array_equal(run(network(tmp_path, alone), x), x)


@pytest.mark.parametrize("channels", [4, 6, 9])
def test_shortcuts_add_the_channels_that_both_have(tmp_path: Path, channels: int) -> None:
    other = layer("convolutional", filters=channels, size=1, activation="linear")
    back = layer("route", layers="0")
    cfg = stack(other, back, layer("shortcut", **{"from": -2, "activation": "leaky"}))
    matrix = numbers(channels, 6)
    ours = read_text(tmp_path, cfg, write(tmp_path / "w", [np.zeros(channels), matrix]))
    x = numbers(6, 9, 8)
    addend, total = np.einsum("fc,chw->fhw", matrix, x), x.copy()
    least = min(6, channels)
    total[:least] += addend[:least]
    close(run(ours, x), np.where(total > 0, total, 0.1 * total))


def test_shortcuts_add_several(tmp_path: Path) -> None:
    relu = layer("activation", activation="relu")
    cfg = stack(relu, relu, layer("shortcut", **{"from": "-2,0"}))
    x = numbers(6, 9, 8)
    close(run(network(tmp_path, cfg), x), 2 * np.maximum(x, 0) + x)


def test_shortcuts_take_every_second_cell_of_larger_maps(tmp_path: Path) -> None:
    pool = layer("maxpool", size=2, stride=2)
    cfg = text(layer("maxpool", size=1, stride=1), pool, layer("shortcut", **{"from": 0}), height=8)
    result = read_text(tmp_path, cfg)
    x = numbers(4, 8, 8)
    expected = by_hand.pool(x, 2, (2, 2), 1, mean=False) + x[:, ::2, ::2]
    close(run(netdsl.loads(result.text), x), expected)
    assert "cells 0, 2, ... are taken" in result.answer.remarks[0]
    assert "image: [4, 8, 8]" in result.text


def test_channels_are_scaled_by_a_gate(tmp_path: Path) -> None:
    gate = layer("scale_channels", **{"from": 0, "activation": "relu"})
    cfg = stack(layer("avgpool"), layer("activation", activation="logistic"), gate)
    x = numbers(6, 9, 8)
    factors = 1 / (1 + np.exp(-x.mean((1, 2), keepdims=True)))
    close(run(network(tmp_path, cfg), x), np.maximum(x * factors, 0))


def test_sam_multiplies_maps(tmp_path: Path) -> None:
    cfg = stack(layer("activation", activation="logistic"), layer("sam", **{"from": -2}))
    x = numbers(6, 9, 8)
    close(run(network(tmp_path, cfg), x), x / (1 + np.exp(-x)))


# --- weights -------------------------------------------------------------------------------


def test_convolutions_read_offset_statistics_weights(tmp_path: Path) -> None:
    bias, scale, mean = numbers(5, seed=1), numbers(5, seed=2), numbers(5, seed=3)
    variance, weight = np.abs(numbers(5, seed=4)) + 0.5, numbers(5, 4, 3, 3, seed=5)
    conv = layer(
        "convolutional", filters=5, size=3, stride_x=2, stride_y=1, pad=1, padding=7,
        batch_normalize=1, activation="leaky",
    )  # fmt: skip
    path = write(tmp_path / "w", [bias, scale, mean, variance, weight])
    ours = read_text(tmp_path, text(conv), path)
    assert list(ours.answer.numbers or ()) == [
        "0.bn.bias", "0.bn.weight", "0.bn.running_mean", "0.bn.running_var", "0.conv.weight",
    ]  # fmt: skip
    x = numbers(4, 9, 8)
    y = by_hand.normalised(by_hand.conv(x, weight, (1, 2), 1), scale, bias, mean, variance)
    close(run(ours, x), np.where(y > 0, y, 0.1 * y))
    keys = netdsl.loads(ours.text).torch(seed=0).state_dict().keys()
    assert {key for key in keys if "num_batches" not in key} == set(ours.answer.numbers or ())


@pytest.mark.parametrize(("dilation", "pad"), [(1, 0), (1, 1), (2, 1), (3, 1)])
def test_convolutions_have_dilation_and_bias(tmp_path: Path, dilation: int, pad: int) -> None:
    bias, weight = numbers(2, seed=1), numbers(2, 4, 3, 3, seed=2)
    conv = layer(
        "convolutional", filters=2, size=3, pad=pad, dilation=dilation, activation="linear"
    )
    ours = read_text(tmp_path, text(conv), write(tmp_path / "w", [bias, weight]))
    x = numbers(4, 9, 8)
    expected = by_hand.conv(x, weight, (1, 1), pad, dilation) + bias[:, None, None]
    close(run(ours, x), expected)


def test_groups_have_filters_of_their_own(tmp_path: Path) -> None:
    bias, weight = np.zeros(4), numbers(4, 2, 1, 1)
    conv = layer("convolutional", filters=4, groups=2, activation="linear")
    ours = read_text(tmp_path, text(conv), write(tmp_path / "w", [bias, weight]))
    x = numbers(4, 9, 8)
    halves = [by_hand.conv(x[i : i + 2], weight[i : i + 2], (1, 1), 0) for i in (0, 2)]
    close(run(ours, x), np.concatenate(halves))


@pytest.mark.parametrize("is_turned", [False, True])
def test_dense_layers_normalise_behind_the_weights(tmp_path: Path, is_turned: bool) -> None:
    parts = [numbers(3, seed=i) for i in range(4)]
    bias, scale, mean, variance = *parts[:3], np.abs(parts[3]) + 0.5
    weight = numbers(3, 6 * 9 * 8, seed=5) * 0.1
    head = struct.pack("<iiiq", 1001, 0, 0, 0) if is_turned else None
    order = [bias, weight.T if is_turned else weight, scale, mean, variance]
    path = write(tmp_path / "w", order, head)
    dense = layer("connected", output=3, batch_normalize=1, activation="relu")
    ours = read_text(tmp_path, stack(dense), path)
    assert "1.fc.weight" in (ours.answer.numbers or {})
    x = numbers(6, 9, 8)
    expected = by_hand.normalised(weight @ x.reshape(-1), scale, bias, mean, variance)
    close(run(ours, x), np.maximum(expected, 0))


def test_batchnorm_by_itself(tmp_path: Path) -> None:
    bias, scale, mean = (numbers(4, seed=i) for i in range(3))
    variance = np.abs(numbers(4, seed=4)) + 0.5
    path = write(tmp_path / "w", [bias, scale, mean, variance])
    ours = read_text(tmp_path, text(layer("batchnorm")), path)
    x = numbers(4, 9, 8)
    close(run(ours, x), by_hand.normalised(x, scale, bias, mean, variance))


@pytest.mark.parametrize(
    ("size", "stride", "pad"), [(3, 1, 1), (3, 2, 1), (3, 2, 0), (2, 1, 0), (1, 1, 0)]
)
def test_local_layers_have_weights_at_each_place(
    tmp_path: Path, size: int, stride: int, pad: int
) -> None:
    rows, columns = ((n + 2 * pad - size) // stride + 1 for n in (9, 8))
    bias, weight = (
        numbers(2 * rows * columns),
        numbers(rows * columns * 2 * 4 * size * size, seed=1),
    )
    local = layer("local", filters=2, size=size, stride=stride, pad=pad, activation="linear")
    ours = read_text(tmp_path, text(local), write(tmp_path / "w", [bias, weight]))
    x = numbers(4, 9, 8)
    close(run(ours, x), by_hand.local(x, weight, bias, size, stride, pad))


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("batch_normalize", [0, 1])
def test_weights_are_shared(tmp_path: Path, dilation: int, batch_normalize: int) -> None:
    options = {"batch_normalize": batch_normalize, "filters": 4, "size": 3, "pad": 1}
    first = layer("convolutional", **options, activation="linear")
    again = layer("convolutional", **options, share_index=-1, dilation=dilation, activation="leaky")
    third = layer("convolutional", **options, share_index=1, activation="relu")
    bias, weight = numbers(4, seed=1), numbers(4, 4, 3, 3, seed=2) * 0.2
    scale, mean, variance = np.ones(4), np.zeros(4), np.ones(4)
    norms = [scale, mean, variance] if batch_normalize else []
    path = write(tmp_path / "w", [bias, *norms, weight])
    ours = read_text(tmp_path, text(first, again, third), path)

    def conv(x: np.ndarray, dilation: int) -> np.ndarray:
        y = by_hand.conv(x, weight, (1, 1), 1, dilation)
        if batch_normalize:
            return by_hand.normalised(y, scale, bias, mean, variance)
        return y + bias[:, None, None]

    x = numbers(4, 9, 8)
    y = conv(conv(x, 1), dilation)
    close(run(ours, x), np.maximum(conv(np.where(y > 0, y, 0.1 * y), 1), 0))
    count = 4 + 4 * 4 * 9 + 4 * batch_normalize
    assert netdsl.loads(ours.text).parameters == count


@pytest.mark.parametrize(
    "head", [struct.pack("<iiiq", 0, 2, 0, 7), struct.pack("<iiii", 0, 1, 0, 7)]
)
def test_old_and_new_headers(tmp_path: Path, head: bytes) -> None:
    conv = layer("convolutional", filters=4, activation="linear")
    path = write(tmp_path / "w", [np.zeros(4), np.eye(4)], head)
    x = numbers(4, 9, 8)
    close(run(read_text(tmp_path, text(conv), path), x), x)


def test_flipped_weights_are_turned(tmp_path: Path) -> None:
    weight = numbers(3, 4)
    conv = layer("convolutional", filters=3, flipped=1, activation="linear")
    path = write(tmp_path / "w", [np.zeros(3), weight.T])
    x = numbers(4, 9, 8)
    close(run(read_text(tmp_path, text(conv), path), x), np.einsum("fc,chw->fhw", weight, x))


# --- the whole -----------------------------------------------------------------------------


def test_heads_are_outputs_by_name(tmp_path: Path) -> None:
    conv = layer("convolutional", filters=18, activation="linear")
    yolo = layer("yolo", mask="0,1,2", anchors="1,2", classes=1)
    ours = network(tmp_path, text(conv, yolo, layer("route", layers=-2), conv, yolo))
    assert [one.name for one in ours.outputs] == ["yolo1", "yolo4"]
    assert [str(one.shape[0]) for one in ours.outputs] == ["18", "18"]
    assert str(ours.sizes) == "any H, any W"
    region = network(tmp_path, text(conv, layer("region", classes=1, num=3)))
    assert [one.name for one in region.outputs] == ["region"]
    plain = network(tmp_path, text(conv))
    assert [one.name for one in plain.outputs] == ["out"]


def test_shares_at_a_temperature_in_groups(tmp_path: Path) -> None:
    softmax = layer("softmax", groups=2, temperature=3)
    cfg = text(layer("avgpool"), softmax, layer("cost", type="sse"), channels=6)
    ours = network(tmp_path, cfg)
    x = numbers(6, 9, 8)
    powers = np.exp(x.mean((1, 2)) / 3).reshape(2, 3)
    close(run(ours, x), (powers / powers.sum(1, keepdims=True)).reshape(-1))
    assert [one.name for one in ours.outputs] == ["softmax"]


def test_a_mean_is_a_vector_or_a_map_as_it_is_taken(tmp_path: Path) -> None:
    conv = layer("convolutional", filters=2, activation="linear")
    as_map = read_text(tmp_path, text(layer("avgpool"), conv))
    assert "adaptive_avgpool(1)" in as_map.text
    dense = read_text(tmp_path, text(layer("avgpool"), layer("connected", output=2)))
    assert "global_avgpool" in dense.text
    assert "flatten" not in dense.text


def test_the_first_of_equal_keys_counts_and_comments_are_passed_over(tmp_path: Path) -> None:
    cfg = (
        "# a comment\n; another\n[net] \nwidth = 8 # wide\nheight=9;high\nchannels=4\n\n"
        " [ convolutional ]\n filters = 3 #not 5\nfilters=5\n\nactivation =\tlinear\r\n"
    )
    result = read_text(tmp_path, cfg)
    ours = netdsl.loads(result.text)
    assert str(ours.outputs[0].shape[0]) == "3"
    assert "`filters` is there twice" in result.answer.remarks[0]
    assert "small-net.cfg:10:1" in result.answer.remarks[0]
    assert ours.name == "SmallNet"


def test_a_vector_may_flow_in(tmp_path: Path) -> None:
    weight = numbers(2, 5)
    cfg = "[net]\ninputs=5\n[connected]\noutput=2\nactivation=linear\n"
    ours = read_text(tmp_path, cfg, write(tmp_path / "w", [np.zeros(2), weight]))
    x = numbers(5)
    close(run(ours, x), weight @ x)


def test_sizes_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_text(text(layer("avgpool"), layer("connected", output=2)))
    assert "image: [4, H, W]" in read(Question(str(path))).text
    question = Question(str(path), {"image": (4, 32, "W")})
    assert "image: [4, 32, W]" in read(question).text
