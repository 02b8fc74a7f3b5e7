"""Sizes that are hard to judge: an answer, exact, or word that there is none, and soon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main
from netdsl.diagnostics import DiagnosticError
from netdsl.lints import WARNINGS

SECONDS = 10
"""Far above what is needed, far below what it was: some of these took minutes, or all memory."""


def upsampled(count: int) -> str:
    chain = " -> ".join(["upsample(1.5)"] * count)
    return f"net A {{ input x: [1, H, W]\n output y = x -> {chain} -> pixel_unshuffle(7) }}"


def works(size: int, count: int) -> bool:
    for _ in range(count):
        size = size * 3 // 2
    return size > 0 and size % 7 == 0


@pytest.fixture(autouse=True)
def soon() -> object:
    start = process_time()
    yield
    assert process_time() - start < SECONDS


@pytest.mark.parametrize("count", [3, 6, 10, 12, 16, 30])
def test_single_sizes_are_answered(count: int) -> None:
    sizes = netdsl.loads(upsampled(count)).sizes
    taken = [n for n in range(1, 300) if works(n, count)]
    assert [n for n in range(1, 300) if sizes.accepts(H=n, W=taken[0])] == taken
    for wanted in (1, 64, taken[3]):
        near = sizes.nearest(H=wanted, W=wanted)
        best = min(taken, key=lambda n: (abs(n - wanted), n))
        assert near.closest == {"H": best, "W": best}
        above = next(n for n in taken if n >= wanted)
        assert near.up == {"H": above, "W": above}
    assert sizes.smallest() in (None, {"H": taken[0], "W": taken[0]})
    assert sizes.smallest() is not None or count > 12
    assert "H" in str(sizes)


def test_the_contract_of_six_is_told_in_full() -> None:
    sizes = netdsl.loads(upsampled(6)).sizes
    text = str(sizes)
    assert text.startswith("H and W mod 448 in {0, 3, 4, ")
    listed = {int(n) for n in text[text.index("{") + 1 : text.index("}")].split(", ")}
    least = int(text.rpartition(" ")[2])
    for n in range(1, 1500):
        assert works(n, 6) == (n >= least and n % 448 in listed), n


HARD = {
    "mixed floors": "upsample(1.5) -> maxpool(3, stride=2, ceil_mode=true) -> " * 9 + "maxpool(5)",
    "thirds": "upsample(1.3) -> " * 14 + "pixel_unshuffle(5)",
    "ceil pools": "maxpool(3, stride=2, padding=1, ceil_mode=true) -> upsample(1.7) -> " * 8
    + "pixel_unshuffle(3)",
    "dilations": "conv(1, 3, stride=2, dilation=3, padding=2) -> upsample(2.5) -> " * 9
    + "pixel_unshuffle(4)",
    "transposed": "conv_transpose(1, 3, stride=2) -> avgpool(3) -> " * 12 + "pixel_unshuffle(6)",
    "skips": "add { identity ; maxpool(2) -> upsample(1.5) -> upsample(size=in) } -> " * 10
    + "relu",
    "exact": "upsample(1.5) -> add { identity ; maxpool(2) -> upsample(2) } -> " * 7 + "relu",
}
BLOCKS = """
block Square { let n = min(in.height, in.width) ; crop((n, n)) }
block Even { pad(right=max(in.height - in.width, 0), top=max(in.width // 2 - in.height, 0)) }
block Apart { pad(right=abs(in.height - in.width), bottom=abs(in.width - 2 * in.height)) }
"""
JOINT = {
    "least of both": "Square -> " + "upsample(1.5) -> " * 8 + "pixel_unshuffle(5)",
    "maxima": "Even -> maxpool(2) -> " * 6 + "pixel_unshuffle(3)",
    "apart": "Apart -> avgpool(3) -> " * 3 + "conv(1, 3)",
}


@pytest.mark.parametrize("name", [*HARD, *JOINT])
def test_hard_networks_are_answered_or_refused(name: str) -> None:
    """Where a contract comes out, it is the one that PyTorch's shapes have, size by size."""
    chain = JOINT.get(name) or HARD[name]
    text = f"{BLOCKS}net A {{ input x: [1, H, W]\n output y = x -> {chain} }}"
    try:
        network = netdsl.loads(text, allow=WARNINGS)
    except DiagnosticError as error:
        assert {d.code for d in error.diagnostics} <= {"undecided-size", "no-size-works"}
        return
    sizes = network.sizes
    assert str(sizes)
    small = sizes.small()
    near = sizes.nearest(H=50, W=41).closest
    for point in (small, near):
        assert point is None or sizes.accepts(**point)
    for height in (1, 2, 5, 12, 30):
        for width in (3, 4, 11, 24):
            assert sizes.accepts(H=height, W=width) == fixes(text, height, width)


def fixes(text: str, height: int, width: int) -> bool:
    """Whether the same network of fixed sizes is right, which asks no solver."""
    fixed = text.replace("[1, H, W]", f"[1, {height}, {width}]")
    try:
        netdsl.loads(fixed, allow=WARNINGS)
    except DiagnosticError:
        return False
    return True


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    path = tmp_path / "a.net"
    path.write_text(upsampled(16))

    def run(command: str, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, [command, str(path), *arguments])
        assert "internal error" not in result.output
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    return run


def test_a_contract_that_is_not_settled(run: Callable[..., tuple[int, str]]) -> None:
    """The conditions themselves, and exit code 2; a size that is asked for is answered."""
    code, text = run("sizes")
    assert code == 2
    assert "could not be worked out" in text
    code, text = run("sizes", "--format", "json")
    assert code == 2
    assert '"settled": false' in text
    taken = next(n for n in range(60, 100) if works(n, 16))
    assert run("sizes", "--accepts", f"H={taken},W={taken}") == (0, "yes\n")
    code, text = run("sizes", "--accepts", f"H={taken - 1},W={taken}")
    assert code == 1
    assert f"pad to H = {taken}, W = {taken}" in text
    assert run("sizes", "--table", f"H={taken - 1}..{taken + 1}")[0] == 0


def test_other_commands_on_it(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    assert run("check")[0] == 0
    assert run("summary")[0] == 0
    assert run("compile")[0] == 0
    assert run("draw", "-o", str(tmp_path / "a.svg"))[0] == 0
    code, text = run("export", "-o", str(tmp_path / "a.onnx"), "--profiles", "--guard")
    assert code == 0
    assert "--minShapes=x:1x1x" in text
