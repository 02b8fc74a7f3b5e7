"""YOLOv8 beside plain PyTorch modules with the keys of ultralytics' checkpoints, and its published counts."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

import netdsl
from tests.examples import example, network, norm_constants, restless, runs, sizes_to_try
from tests.examples.test_units import C2f, Pyramid, conv
from tests.sampling import some

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

NAME = "yolov8n"

EDITIONS: dict[str, tuple[dict[str, Any], int, float]] = {
    "n": ({}, 3_157_200, 8.7),
    "s": ({"width": 0.5}, 11_166_560, 28.6),
    "m": ({"depth": 0.67, "width": 0.75, "most": 768}, 25_902_640, 78.9),
    "l": ({"depth": 1, "width": 1, "most": 512}, 43_691_520, 165.2),
    "x": ({"depth": 1, "width": 1.25, "most": 512}, 68_229_648, 257.8),
}
"""Parameters (with the 16 fixed numbers of the head) and billions of operations at 640x640, as published."""


@pytest.mark.one_in(5)
@pytest.mark.parametrize("edition", EDITIONS)
def test_published_counts(edition: str) -> None:
    """An operation is a multiplication or an addition; the mean over the shares is of no count."""
    params, parameters, operations = EDITIONS[edition]
    summary = netdsl.load(example(NAME), params=params, sizes=dict.fromkeys("HW", 640)).summary()
    assert summary.parameters + 16 == parameters
    assert round(2 * summary.macs / 1e9, 1) == pytest.approx(operations, abs=0.11)


class Shares(nn.Module):
    """How far a side is: the mean of 0 to 15 by the shares of a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 1, 1, bias=False)
        self.conv.weight.data = torch.arange(16.0).view(1, 16, 1, 1)

    def forward(self, x: Any) -> Any:
        batch, _, places = x.shape
        shares = x.view(batch, 4, 16, places).transpose(2, 1).softmax(1)
        return self.conv(shares).view(batch, 4, places)


class Detect(nn.Module):
    """Left, top, right and bottom sides of boxes around the middles of all cells."""

    def __init__(self, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        two, three = max(16, widths[0] // 4, 64), max(widths[0], min(classes, 100))
        self.cv2, self.cv3 = (
            nn.ModuleList(
                nn.Sequential(conv(w, c, 3), conv(c, c, 3), nn.Conv2d(c, out, 1)) for w in widths
            )
            for c, out in ((two, 64), (three, classes))
        )
        self.dfl = Shares()

    def forward(self, maps: list[Any]) -> Any:
        middles, strides = [], []
        for stride, x in zip((8, 16, 32), maps, strict=True):
            rows, columns = x.shape[-2:]
            xs, ys = (torch.arange(n, device=x.device).add(0.5) for n in (columns, rows))
            grid = torch.meshgrid(ys, xs, indexing="ij")
            middles.append(torch.stack(grid[::-1]).view(2, -1))
            strides.append(torch.full((1, rows * columns), float(stride), device=x.device))
        middle, stride = torch.cat(middles, 1), torch.cat(strides, 1)
        boxes = torch.cat([own(x).flatten(2) for own, x in zip(self.cv2, maps, strict=True)], 2)
        scores = torch.cat([own(x).flatten(2) for own, x in zip(self.cv3, maps, strict=True)], 2)
        before, behind = self.dfl(boxes).chunk(2, 1)
        low, high = middle - before, middle + behind
        return torch.cat([(low + high) / 2 * stride, (high - low) * stride, scores.sigmoid()], 1)


class Whole(nn.Module):
    """The table of the smallest edition: from which layers each one takes, and the layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        up = nn.Upsample(scale_factor=2)
        table: list[tuple[list[int], Any]] = [
            ([-1], conv(3, 16, 3, stride=2)), ([-1], conv(16, 32, 3, stride=2)),
            ([-1], C2f(32, 32, 1, True)), ([-1], conv(32, 64, 3, stride=2)),
            ([-1], C2f(64, 64, 2, True)), ([-1], conv(64, 128, 3, stride=2)),
            ([-1], C2f(128, 128, 2, True)), ([-1], conv(128, 256, 3, stride=2)),
            ([-1], C2f(256, 256, 1, True)), ([-1], Pyramid(256, 256, 5)),
            ([-1], up), ([-1, 6], nn.Identity()), ([-1], C2f(384, 128, 1)),
            ([-1], up), ([-1, 4], nn.Identity()), ([-1], C2f(192, 64, 1)),
            ([-1], conv(64, 64, 3, stride=2)), ([-1, 12], nn.Identity()), ([-1], C2f(192, 128, 1)),
            ([-1], conv(128, 128, 3, stride=2)), ([-1, 9], nn.Identity()), ([-1], C2f(384, 256, 1)),
        ]  # fmt: skip
        self.sources = [source for source, _ in table]
        self.model = nn.ModuleList(
            [*(layer for _, layer in table), Detect(classes, (64, 128, 256))]
        )

    def forward(self, x: Any) -> Any:
        results: list[Any] = [x]
        for sources, layer in zip(self.sources, self.model, strict=False):
            taken = [results[-1] if n < 0 else results[n + 1] for n in sources]
            results.append(layer(torch.cat(taken, 1)))
        return self.model[-1]([results[n + 1] for n in (15, 18, 21)])


@cache
def pair(classes: int) -> tuple[Any, Any, netdsl.Network]:
    torch.manual_seed(0)
    theirs = restless(Whole(classes))
    net = netdsl.load(example(NAME), params={"classes": classes})
    ours = net.torch(seed=1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours.eval(), net


@pytest.mark.parametrize("classes", [80, 3])
def test_weights_load_and_predictions_are_equal(classes: int) -> None:
    """At sizes that are multiples of 32, and at one that is not and fits as well."""
    theirs, ours, _ = pair(classes)
    assert norm_constants(ours) == norm_constants(theirs)
    for size in (64, 96), (160, 32), (57, 95):
        image = torch.randn(2, 3, *size)
        with torch.no_grad():
            found, expected = ours(image), theirs(image)
        assert found.shape[1] == 4 + classes
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_fixed_numbers_are_those_of_the_head() -> None:
    """They are stored, as in a checkpoint, and not learned."""
    module = network(NAME).torch(seed=0)
    key = "model.22.dfl.conv.weight"
    assert torch.equal(module.state_dict()[key], torch.arange(16.0).view(1, 16, 1, 1))
    assert key not in dict(module.named_parameters())


def test_names_of_the_first_and_last_layers() -> None:
    keys = set(network(NAME).torch(seed=0).state_dict())
    wanted = {
        "model.0.conv.weight", "model.2.m.0.cv1.conv.weight", "model.9.cv2.bn.running_var",
        "model.22.cv2.0.2.bias",
        "model.22.cv3.2.0.conv.weight", "model.22.cv3.2.2.weight", "model.22.dfl.conv.weight",
    }  # fmt: skip
    assert wanted <= keys


def test_sizes_are_those_at_which_the_layers_meet() -> None:
    contract = network(NAME).sizes
    with torch.device("meta"):
        model = Whole(80).eval()
    for height, width in some(sizes_to_try(network(NAME)), 60):
        accepted = contract.accepts(H=height, W=width)
        assert accepted == runs(model, height, width), (height, width)


@pytest.mark.parametrize("count", [1, 4])
def test_onnx_at_two_sizes(count: int) -> None:
    pytest.importorskip("onnxruntime")
    from tests.backends.onnx.runtime import session

    theirs, ours, net = pair(3)
    run = session(net.onnx(ours).SerializeToString())
    for size in (64, 96), (160, 32):
        image = torch.randn(count, 3, *size)
        with torch.no_grad():
            expected = theirs(image)
        (found,) = run.run(None, {"image": image.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-3, atol=1e-3)
