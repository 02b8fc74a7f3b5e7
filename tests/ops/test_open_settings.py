"""Settings that depend on the size of the input, against PyTorch at many sizes."""

from __future__ import annotations

import pytest

import netdsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.ops.open_sizes import agree, loaded  # noqa: E402

LINES = [{"T": t} for t in range(1, 16)]


def strict_slice(x, axis, start, stop, step=1):
    """A slice of Python, where no end lies outside and something is left; else None."""
    size = x.shape[axis]
    first = start + size if start < 0 else start
    last = size if stop is None else stop + size if stop < 0 else stop
    if first < 0 or last > size or last <= first:
        return None
    return x.narrow(axis, 0, size)[(slice(None),) * axis + (slice(first, last, step),)]


SLICES = {
    "slice(1, 3)": lambda x, t: strict_slice(x, 2, 3, None),
    "slice(1)": lambda x, t: x,
    "slice(-1, -3)": lambda x, t: strict_slice(x, 2, -3, None),
    "slice(1, stop=-2)": lambda x, t: strict_slice(x, 2, 0, -2),
    "slice(1, 1, end, step=3)": lambda x, t: strict_slice(x, 2, 1, None, 3),
    "slice(1, 0, T)": lambda x, t: x,
    "slice(1, 0, T // 2)": lambda x, t: strict_slice(x, 2, 0, t // 2) if t > 1 else None,
    "slice(1, T // 3, -1)": lambda x, t: strict_slice(x, 2, t // 3, -1),
    "slice(1, T // 3, T - 1, step=2)": lambda x, t: strict_slice(x, 2, t // 3, t - 1, 2),
    "slice(1, T - 4)": lambda x, t: strict_slice(x, 2, t - 4, None) if t >= 4 else None,
    "slice(1, T - 4, end, step=2)": lambda x, t: (
        strict_slice(x, 2, t - 4, None, 2) if t >= 4 else None
    ),
    "slice(1, 2, in.length - 3)": lambda x, t: strict_slice(x, 2, 2, t - 3) if t > 5 else None,
}


@pytest.mark.parametrize("stage", SLICES)
def test_slices(stage: str) -> None:
    text = f"net A {{ input x: [3, T]\n output y = x -> {{ {stage} }} }}"
    text = text.replace("in.length", "x.length")
    taken, _ = agree(text, LINES, lambda x: SLICES[stage](x, x.shape[2]))
    assert taken >= 8


@pytest.mark.parametrize("parts", ["[T - 2, 2]", "[1, x.length - 1]", "[T // 2, T - T // 2]",
                                   "[1, 2, 4]", "[T // 3, 1, T - T // 3 - 1]"])  # fmt: skip
def test_splits(parts: str) -> None:
    count = parts.count(",") + 1
    names = "abc"[:count]
    outputs = "\n".join(f"output {n}_ = {n}" for n in names)
    text = f"net A {{ input x: [3, T]\n ({', '.join(names)}) = x -> split({parts}, axis=1)\n{outputs} }}"

    def oracle(x):
        t = x.shape[2]
        sizes = eval(parts.replace("x.length", "T"), {"T": t})
        if min(sizes) < 1 or sum(sizes) != t:
            return None
        return x.split(sizes, dim=2)

    taken, refused = agree(text, LINES, oracle)
    assert taken >= 1
    assert refused >= 1


def said(stage: str, shape: str = "[8, T]") -> tuple[str, tuple[str, ...]]:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        loaded(f"net A {{ input x: {shape}\n output y = x -> {stage} }}")
    first = caught.value.diagnostics[0]
    return first.message, first.help


def test_what_a_slice_refuses() -> None:
    assert said("slice(1, 0, 5)", "[8, 4]")[0] == "cell 5 is outside of an axis of 4"
    assert said("slice(1, -5)", "[8, 4]")[0] == "cell -5 is outside of an axis of 4"
    assert said("slice(1, 4)", "[8, 4]")[0] == "nothing is left from 4 to end"
    assert said("slice(1, 0, 2**31 - 1)")[1] == ("write `end`",)
    assert said("slice(1, 0, 2**31 - 2)", "[8, 9]")[1] == ()
    assert "known number" in said("slice(1, 0, 4, step=T)")[0]
    assert "outside of an axis" in said("slice(1, -T)")[0]


def test_the_ends_of_a_slice_are_no_sizes_of_a_word() -> None:
    """`end` is the word even where a number is called so."""
    text = "net A(end: int = 2) { input x: [8, T]\n output y = x -> slice(1, 1, end) }"
    assert str(loaded(text).outputs[0].value.type) == "[8, T - 1]"


def test_what_a_split_refuses() -> None:
    assert said("split([1, 3], axis=1)", "[8, 5]")[0] == "the parts add up to 4, and the axis is 5"
    assert "at least 1" in said("split([0, 5], axis=1)", "[8, 5]")[0]
    message, help = said("split(T, axis=1)")
    assert "known number" in message
    assert "split([H - 2, 2])" in help[0]
