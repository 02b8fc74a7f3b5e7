"""Contracts for training, shapes by name, and the texts of joint conditions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main

NORMED = """
net A {
    input x: [3, H, W]
    h = x -> down: conv(4, 3, stride=2, bias=false) -> bn: batchnorm -> relu
    output y = h -> maxpool(2)
    output aux = h -> head: conv(2, 8) when training
}
"""


def trains(network: netdsl.Network, batch: int, height: int, width: int) -> bool:
    """Whether PyTorch runs the module in training mode."""
    torch = pytest.importorskip("torch")
    try:
        network.torch(seed=0).train()(torch.zeros(batch, 3, height, width))
    except (RuntimeError, ValueError):
        return False
    return True


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("head", [True, False])
def test_training_agrees_with_pytorch(batch: int, head: bool) -> None:
    text = NORMED if head else "\n".join(x for x in NORMED.split("\n") if "aux" not in x)
    text = text if head else text.replace("maxpool(2)", "relu")
    network = netdsl.loads(text)
    sizes = network.sizes.training(batch)
    answers = {
        (h, w): sizes.accepts(H=h, W=w) for h in (3, 4, 5, 16, 17) for w in (3, 4, 5, 16, 17)
    }
    assert {True, False} == set(answers.values()) or (batch == 2 and not head)
    for (height, width), answer in answers.items():
        assert answer == trains(network, batch, height, width), (height, width)


def test_fixed_sizes_that_no_single_sample_trains() -> None:
    sizes = netdsl.loads("net A { input x: [3]; output y = x -> linear(2) -> batchnorm }").sizes
    assert sizes.accepts()
    assert not sizes.training(1).accepts()
    assert sizes.training(2).accepts()
    assert str(sizes) == "fixed sizes"
    assert str(sizes.training(1)) == "no size"
    (reason,) = sizes.training(1).explain()
    assert "with one sample" in reason


def test_no_size_trains_one_sample() -> None:
    text = "net A { input x: [3, H, W]; output y = x -> global_avgpool -> batchnorm }"
    sizes = netdsl.loads(text).sizes
    assert str(sizes) == "any H, any W"
    assert str(sizes.training()) == "no size"
    assert sizes.training().smallest() is None


@pytest.mark.parametrize("batch", [0, -1, True, 1.5])
def test_a_batch_is_a_whole_number(batch: int) -> None:
    with pytest.raises(ValueError, match="whole number"):
        netdsl.loads(NORMED).sizes.training(batch)


def test_joint_conditions_are_said_once_and_plainly() -> None:
    network = netdsl.load("examples/googlenet.net")
    assert str(network.sizes.training()) == "any H >= 15, any W >= 15; H >= 47 or W >= 47"
    sizes = network.sizes.training()
    for height in (15, 46, 47, 48):
        for width in (15, 46, 47, 48):
            assert sizes.accepts(H=height, W=width) == (height >= 47 or width >= 47)


def test_dims_of_values_by_name_and_path() -> None:
    dims = netdsl.load("examples/googlenet.net").sizes.dims
    assert dims["image"] == ("3", "H", "W")
    assert dims["inception5b"] == ("1024", "floor((H + 17)/32)", "floor((W + 17)/32)")
    assert dims["inception5b.branch1"][0] == "384"
    assert dims["inception5b.branch1.conv"][0] == "384"
    assert "nothing" not in dims


def test_dims_count_several_results() -> None:
    text = "block Two { a = relu; (a, a -> maxpool(2)) }\n"
    text += "net A { input x: [1, H]; (p, q) = x -> t: Two; output y = (p, q -> pad(right=1)) "
    text += "-> concat(axis=1) }"
    dims = netdsl.loads(text).sizes.dims
    assert (dims["t[1]"], dims["q"], dims["t.a"]) == (
        ("1", "floor(H/2)"),
        ("1", "floor(H/2)"),
        ("1", "H"),
    )


@pytest.fixture
def sizes_command(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        path = tmp_path / "a.net"
        path.write_text(NORMED)
        result = CliRunner().invoke(main, ["sizes", str(path), *arguments])
        return result.exit_code, result.output

    return run


def test_a_table_of_shapes(sizes_command: Callable[..., tuple[int, str]]) -> None:
    code, text = sizes_command("--table", "H=4..7,W=9")
    assert code == 0
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:]}
    assert rows["x"] == ["-", "3x5x9", "3x6x9"]
    assert rows["y"] == ["-", "4x1x2", "4x1x2"]


def test_a_table_as_data(sizes_command: Callable[..., tuple[int, str]]) -> None:
    code, text = sizes_command("--table", "H=4..21:16", "--format", "json")
    first, second = json.loads(text)
    assert code == 0
    assert first == {"sizes": {"H": 4, "W": 4}, "shapes": None}
    assert second["sizes"] == {"H": 20, "W": 20}
    assert second["shapes"]["y"] == "4x4x4"


@pytest.mark.parametrize("text", ["H=4", "H=9..4", "H=0..4", "Q=1..4", "H=1..4,W=1..4", "4..9"])
def test_tables_that_can_not_be(sizes_command: Callable[..., tuple[int, str]], text: str) -> None:
    code, message = sizes_command("--table", text)
    assert code == 2
    assert "Traceback" not in message


def test_training_at_the_command_line(sizes_command: Callable[..., tuple[int, str]]) -> None:
    assert sizes_command()[1] == "any H >= 5, any W >= 5\n"
    assert sizes_command("--training", "2")[1] == "any H >= 17, any W >= 17\n"
    code, text = sizes_command("--training", "1", "--accepts", "H=5,W=17")
    assert code == 1
    assert "pad to H = 17, W = 17" in text


def test_inception_v3_at_inference_and_in_training() -> None:
    sizes = netdsl.load("examples/inception_v3.net").sizes
    assert str(sizes) == "any H >= 75, any W >= 75"
    assert str(sizes.training(8)) == "any H >= 299, any W >= 299"


def test_bounds_that_always_hold_are_not_said() -> None:
    """`abs` is never below 0; a bound that follows from another is not said either."""
    text = "block P {{ pad(abs(in.height - in.width)) }}\n"
    text += "net A {{ input x: [3, H, W]; output y = x -> P{0} }}"
    assert str(netdsl.loads(text.format("")).sizes) == "any H, any W"
    padded = netdsl.loads(text.format(" -> conv(4, 3)")).sizes
    assert not padded.accepts(H=1, W=1)
    assert not padded.accepts(H=2, W=2)
    refused = [(h, w) for h in range(1, 9) for w in range(1, 9) if not padded.accepts(H=h, W=w)]
    assert refused == [(1, 1), (2, 2)]
    assert str(padded).count(">=") == 1
    same = "net A { input x: [1, H]; input y: [1, W]; output z = (x, y) -> add -> conv(1, 3) }"
    assert str(netdsl.loads(same).sizes).count("==") == 1


PAPER = """
block Two(c: int) { conv(c, 3) -> relu -> conv(c, 3) -> relu }
block Even : [C, H, W] -> [C, H / 2, W / 2] { maxpool(2) }
net UnetPaper(classes: int = 2) {
    input image: [1, H, W]
    a = image -> Two(4)
    b = a -> Even -> Two(4)
    c = b -> Even -> Two(4)
    d = c -> Even -> Two(4)
    e = d -> Even -> Two(4)
    u3 = e -> conv_transpose(4, 2, stride=2)
    v3 = (d -> center_crop(u3), u3) -> concat -> Two(4)
    u2 = v3 -> conv_transpose(4, 2, stride=2)
    v2 = (c -> center_crop(u2), u2) -> concat -> Two(4)
    u1 = v2 -> conv_transpose(4, 2, stride=2)
    v1 = (b -> center_crop(u1), u1) -> concat -> Two(4)
    u0 = v1 -> conv_transpose(4, 2, stride=2)
    output y = (a -> center_crop(u0), u0) -> concat -> Two(4) -> conv(classes, 1)
}
"""


def tiles(size: int) -> int | None:
    """What comes out of the paper's network, counted by hand; None at an odd size before a pool."""
    down = []
    for _ in range(4):
        size -= 4
        down.append(size)
        if size <= 0 or size % 2:
            return None
        size //= 2
    size -= 4
    for wide in reversed(down):
        size = 2 * size
        if not 0 < size <= wide:
            return None
        size -= 4
    return size if size > 0 else None


def test_the_tiles_of_the_paper() -> None:
    """Unpadded convolutions, pools that must meet even sizes, skips cropped: 572 gives 388."""
    sizes = netdsl.loads(PAPER).sizes
    assert str(sizes) == "H and W 12 more than a multiple of 16, at least 188"
    assert sizes.smallest() == {"H": 188, "W": 188}
    for n in range(1, 700):
        assert sizes.accepts(H=n, W=572) == (tiles(n) is not None), n
        if tiles(n):
            assert sizes.dims.at({"H": n, "W": 572})["y"] == f"2x{tiles(n)}x388"
    near = sizes.nearest(H=512, W=512)
    assert near.down == near.closest == {"H": 508, "W": 508}
    assert near.up == {"H": 524, "W": 524}


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ("add { identity ; maxpool(2) -> upsample(2) }", "L a multiple of 2"),
        ("pad(right=1) -> add { identity ; maxpool(2) -> upsample(2) }", "L odd"),
        (
            "pad(right=3) -> add { identity ; maxpool(5) -> upsample(5) }",
            "L 2 more than a multiple of 5",
        ),
        (
            "conv(1, 9) -> pad(right=3) -> add { identity ; maxpool(5) -> upsample(5) }",
            "L a multiple of 5, at least 10",
        ),
    ],
)
def test_words_for_residues(chain: str, said: str) -> None:
    sizes = netdsl.loads(f"net A {{ input x: [1, L]; output y = x -> {chain} }}").sizes
    assert str(sizes) == said
