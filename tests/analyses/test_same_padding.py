"""TensorFlow's SAME, written with `max` in sizes, against its definition in whole numbers."""

from __future__ import annotations

from random import Random

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main
from netdsl.lints import WARNINGS

BLOCKS = """
block Same(k: int, s: int, op: layer) {
    let h = max((ceil(in.height / s) - 1) * s + k - in.height, 0)
    let w = max((ceil(in.width / s) - 1) * s + k - in.width, 0)
    pad(top=h // 2, bottom=h - h // 2, left=w // 2, right=w - w // 2) -> op(kernel=k, stride=s)
}
"""
OPS = ("conv(channels=2)", "maxpool", "avgpool")
SIZES = [*range(1, 40), 64, 65, 97, 224, 1001]


def network(layers: list[tuple[int, int, str]]) -> netdsl.Network:
    chain = " -> ".join(f"Same({k}, {s}, {op})" for k, s, op in layers)
    text = f"{BLOCKS}net A {{ input x: [2, H, W]\n output y = x -> {chain} }}"
    return netdsl.loads(text, allow=WARNINGS)


def out(size: int, k: int, s: int) -> int:
    """What comes out of one layer, as TensorFlow's documentation says it, padding and window."""
    wanted = (size + s - 1) // s
    padding = max((wanted - 1) * s + k - size, 0)
    before, after = padding // 2, padding - padding // 2
    return (before + size + after - k) // s + 1


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_any_size_is_taken(count: int, op: str) -> None:
    for k in range(1, 8):
        for s in range(1, 4):
            made = network([(k, s, op)] * count)
            assert str(made.sizes) == "any H, any W", (k, s)
            assert made.sizes.is_settled
            assert made.sizes.smallest() == {"H": 1, "W": 1}


def test_shapes_are_those_of_the_definition() -> None:
    draw = Random(1)
    for _ in range(60):
        layers = [
            (draw.randint(1, 7), draw.randint(1, 3), draw.choice(OPS))
            for _ in range(draw.randint(1, 6))
        ]
        sizes = network(layers).sizes
        for size in draw.sample(SIZES, 12):
            wanted = size
            for k, s, _ in layers:
                wanted = out(wanted, k, s)
            point = {"H": size, "W": size}
            assert sizes.accepts(**point)
            assert sizes.nearest(**point).closest == point
            assert sizes.dims.at(point)["y"] == f"2x{wanted}x{wanted}"


def test_without_the_maximum_small_kernels_are_refused() -> None:
    """A fake that drops every maximum would take what has negative padding."""
    text = BLOCKS.replace("max(", "min(1, ")
    for old in ("h = min(1, ", "w = min(1, "):
        text = text.replace(f"{old}(", f"{old[:4]}((").replace(", 0)", ")")
    made = netdsl.loads(
        f"{text}net A {{ input x: [2, H, W]\n output y = x -> Same(1, 2, maxpool) }}",
        allow=WARNINGS,
    )
    assert [made.sizes.accepts(H=n, W=n) for n in (1, 2, 3, 4)] == [True, False, True, False]


@pytest.mark.parametrize("k", [1, 3])
def test_the_command_line_answers(tmp_path, k: int) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("onnxruntime")
    path = tmp_path / "a.net"
    chain = f"Same({k}, 2, conv(channels=2)) -> Same({k}, 2, conv(channels=2))"
    path.write_text(f"{BLOCKS}net A {{ input x: [3, H, W]\n output y = x -> {chain} }}")
    run = CliRunner().invoke(main, ["sizes", str(path)])
    assert (run.exit_code, run.output) == (0, "any H, any W\n")
    target = tmp_path / "a.onnx"
    run = CliRunner().invoke(
        main, ["export", str(path), "-o", str(target), "--verify", "--profiles", "--guard"]
    )
    assert run.exit_code == 0, run.output
    assert "--minShapes=x:1x3x1x1" in run.output
    assert target.exists()
