"""What a help tells to write is written, and gives the right value."""

from __future__ import annotations

import re
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
F = torch.nn.functional
CODE = re.compile(r"`([^`]+)`")


def helps(text: str) -> list[str]:
    """The helps of the first error of a text."""
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(text)
    return list(caught.value.diagnostics[0].help)


def stage(call: str, shape: str = "[8, H, W]") -> str:
    return f"net A {{\n input x: {shape}\n output y = x -> {call}\n}}"


def ways(call: str, shape: str = "[8, H, W]") -> list[str]:
    """All that the helps for a wrong stage put in backquotes."""
    return [code for text in helps(stage(call, shape)) for code in CODE.findall(text)]


def run(text: str, x: Any, weights: Any = None) -> Any:
    module = (
        netdsl.loads(text).torch() if weights is None else netdsl.loads(text).torch(weights=weights)
    )
    with torch.no_grad():
        return module.eval()(x)


def noise(*shape: int) -> Any:
    torch.manual_seed(0)
    return torch.randn(*shape) - 0.5


# --- numbers, and axes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "along", "bounded"),
    [
        ("max(0)", lambda x: x.amax(1), lambda x: x.clamp(min=0)),
        ("min(1)", lambda x: x.amin(2), lambda x: x.clamp(max=1)),
        ("max(-0.5)", None, lambda x: x.clamp(min=-0.5)),
        ("mean(2)", lambda x: x.mean(3), None),
        ("sum(0)", lambda x: x.sum(1), None),
        ("norm(1)", lambda x: x.norm(dim=2), None),
        ("mean([1, 2])", lambda x: x.mean((2, 3)), None),
        ("mean", lambda x: x.mean(1), None),
    ],
)
def test_a_number_where_an_axis_or_a_bound_is_meant(call: str, along: Any, bounded: Any) -> None:
    named, x = [way.replace("...", "0") for way in ways(call)], noise(2, 8, 7, 9)
    axes = [way for way in named if "axis" in way]
    bounds = [way for way in named if "clamp" in way]
    for found, wanted in (axes, along), (bounds, bounded):
        assert bool(found) == (wanted is not None)
        for way in found:
            assert torch.allclose(run(stage(way), x), wanted(x), atol=1e-6)


def test_a_number_is_no_value() -> None:
    """What the help says of 1 - x and 1 / x, and how the number goes into a layer."""
    text = "net A {\n input x: [8, H, W]\n output y = (x, 0.1) -> mul\n}"
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(text)
    (said,) = caught.value.diagnostics
    (way,) = CODE.findall(said.message)
    less, over = CODE.findall(said.help[0])
    x = noise(2, 8, 3, 4)
    assert torch.equal(run(stage(way), x), x * 0.1)
    for chain, wanted in (less, 1 - x), (over, 1 / x):
        assert torch.allclose(run(stage(chain.removeprefix("x -> ")), x), wanted)


@pytest.mark.parametrize(
    ("sign", "function"),
    [("+", torch.add), ("*", torch.mul), ("/", torch.div), ("**", torch.pow), ("-", torch.sub)],
)
def test_operators_between_values(sign: str, function: Any) -> None:
    text = f"net A {{\n input a: [8]\n input b: [8]\n output y = a {sign} b\n}}"
    both, one = [code for text in helps(text) for code in CODE.findall(text) if code != "->"]
    a, b = noise(2, 8).abs(), noise(2, 8)
    module = netdsl.loads(text.replace(f"a {sign} b", both)).torch()
    assert torch.equal(module(a, b), function(a, b))
    assert torch.equal(run(stage(one.removeprefix("a -> "), "[8]"), a), function(a, 2))


def test_a_value_divided_by_a_size() -> None:
    (way,) = ways("mul(1 / x.width)")
    x = noise(2, 8, 3, 5)
    assert torch.equal(run(stage(way.removeprefix("x -> ")), x), x / 5)


# --- cases from public reports ---------------------------------------------------------------


def test_spatial_attention_at_any_size() -> None:
    """CBAM's gate: the mean and the maximum over the channels."""
    text = """
    block Spatial(kernel: int = 7) : [C, H, W] -> [C, H, W] {
        mul {
            identity
            {
                concat { mean(axis=channels, keep=true) ; max(axis=channels, keep=true) }
                    -> conv: conv(1, kernel, padding=kernel // 2, bias=false) -> sigmoid
            }
        }
    }
    net Cbam {
        input image: [16, H, W]
        output y = image -> s: Spatial
    }
    """
    weight, x = noise(1, 2, 7, 7), noise(2, 16, 11, 14)
    pooled = torch.cat([x.mean(1, True), x.amax(1, True)], 1)
    wanted = x * torch.sigmoid(F.conv2d(pooled, weight, padding=3))
    assert torch.allclose(run(text, x, {"s.conv.weight": weight}), wanted, atol=1e-6)
    assert str(netdsl.loads(text).sizes) == "any H, any W"


def test_a_branch_times_a_constant() -> None:
    """EDSR: x + 0.1 * f(x), with nothing learned in 0.1."""
    text = """
    net Edsr {
        input x: [64, H, W]
        output y = add {
            x
            x -> conv1: conv(64, 3, padding=1) -> relu -> conv2: conv(64, 3, padding=1) -> mul(0.1)
        }
    }
    """
    network = netdsl.loads(text)
    assert network.summary().parameters == 73_856
    module = network.torch(seed=0)
    assert set(module.state_dict()) == {
        f"conv{i}.{key}" for i in (1, 2) for key in ("weight", "bias")
    }
    x = noise(2, 64, 5, 7)
    with torch.no_grad():
        wanted = x + 0.1 * module.conv2(F.relu(module.conv1(x)))
        assert torch.allclose(module(x), wanted, atol=1e-6)


# --- sizes of the input for known numbers ----------------------------------------------------


def test_a_split_into_open_parts() -> None:
    (way,) = ways("split(H, axis=1)")
    text = f"net A {{ input x: [8, H, W]\n (a, b) = x -> {way.replace('])', '], axis=1)')}\n output y = b }}"
    assert torch.equal(run(text, x := noise(2, 8, 9, 5)), x[:, :, 7:])


def test_a_window_as_large_as_the_map() -> None:
    for name, function in ("avgpool", F.adaptive_avg_pool2d), ("maxpool", F.adaptive_max_pool2d):
        (way,) = ways(f"{name}(H)")
        assert torch.allclose(run(stage(way), x := noise(2, 8, 9, 5)), function(x, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "function"),
    [
        ("avgpool((x.height, 1))", lambda x: x.mean(2, True)),
        ("maxpool((1, W))", lambda x: x.amax(3, True)),
        ("maxpool((H, W))", lambda x: x.amax((2, 3), True)),
        ("adaptive_avgpool((x.height, 1))", lambda x: x.mean(3, True)),
        ("adaptive_maxpool((1, W))", lambda x: x.amax(2, True)),
        ("adaptive_avgpool((none, 1))", lambda x: x.mean(3, True)),
        ("adaptive_maxpool((1, None))", lambda x: x.amax(2, True)),
    ],
)
def test_a_whole_axis(call: str, function: Any) -> None:
    (way,) = ways(call)
    assert torch.allclose(run(stage(way), x := noise(2, 8, 9, 5)), function(x), atol=1e-6)


@pytest.mark.parametrize(
    "call", ["adaptive_avgpool(H)", "adaptive_maxpool((none, 7))", "adaptive_avgpool((H, 3))"]
)
def test_bins_are_counted(call: str) -> None:
    assert helps(stage(call)) == ["how many bins there are along an axis is a known number"]


# --- what needs no way out -------------------------------------------------------------------


def test_every_second_cell() -> None:
    """YOLOv5's first layer, as its authors write it."""
    branches = " ; ".join(
        f"slice(1, {row}, step=2) -> slice(2, {column}, step=2)"
        for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))
    )
    text = stage(f"concat {{ {branches} }}")
    x = noise(2, 8, 10, 12)
    wanted = torch.cat(
        [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1
    )
    assert torch.equal(run(text, x), wanted)
    assert str(netdsl.loads(text).sizes) == "H and W multiples of 2"


def test_blocks_of_cells_into_channels() -> None:
    text = stage(
        "reshape([8, H / 2, 2, W / 2, 2]) -> permute([2, 4, 0, 1, 3]) -> reshape([32, H / 2, W / 2])"
    )
    x = noise(2, 8, 6, 10)
    wanted = x.reshape(2, 8, 3, 2, 5, 2).permute(0, 3, 5, 1, 2, 4).reshape(2, 32, 3, 5)
    assert torch.equal(run(text, x), wanted)
    assert str(netdsl.loads(text).sizes) == "H and W multiples of 2"


# --- padding ---------------------------------------------------------------------------------


def test_more_padding_than_a_pool_takes() -> None:
    """For values below zero too; for a mean zeros are what the pool itself would put there."""
    x = noise(2, 8, 13, 12) - 5
    (way,) = ways("maxpool(3, stride=2, padding=2)")
    wanted = F.max_pool2d(F.pad(x, (2, 2, 2, 2), value=float("-inf")), 3, 2)
    assert torch.equal(run(stage(way), x), wanted)
    (way,) = ways("maxpool((3, 2), padding=(0, 2), dilation=2, stride=1)")
    padded = F.pad(x, (2, 2, 0, 0), value=float("-inf"))
    assert torch.equal(run(stage(way), x), F.max_pool2d(padded, (3, 2), 1, dilation=2))
    (way,) = ways("avgpool(3, stride=2, padding=2)")
    wanted = F.avg_pool2d(F.pad(x, (2, 2, 2, 2)), 3, 2)
    assert torch.allclose(run(stage(way), x), wanted, atol=1e-6)
    assert helps(stage("avgpool(3, padding=2, count_include_pad=false)")) == []


@pytest.mark.parametrize(("name", "low"), [("maxpool", float("-inf")), ("avgpool", None)])
def test_same_for_pools(name: str, low: float | None) -> None:
    """Darknet's maxpool of size 2 with stride 1, and TensorFlow's of both kinds."""
    x = noise(2, 8, 13, 10) - 5

    def wanted(before: int, after: int, kernel: int) -> Any:
        sides = (before, after, before, after)
        if low is not None:
            return F.max_pool2d(F.pad(x, sides, value=low), kernel, 1)
        ones = F.avg_pool2d(F.pad(torch.ones_like(x), sides), kernel, 1)
        return F.avg_pool2d(F.pad(x, sides), kernel, 1) / ones

    counted = ", count_include_pad=false" * (name == "avgpool")
    for word, sides in ("same", (0, 1, 2)), ("same_upper", (0, 1, 2)), ("same_lower", (1, 0, 2)), (
        "same", (1, 1, 3),
    ):  # fmt: skip
        call = f"{name}({sides[2]}, stride=1, padding={word}{counted}) -> [8, H, W]"
        assert torch.allclose(run(stage(call), x), wanted(*sides), atol=1e-5)
    (none,) = ways(f"{name}(3, padding=valid)")
    assert netdsl.loads(stage(f"{name}(3, {none})"))


def test_same_with_a_stride() -> None:
    """The number keeps PyTorch's places; the other way is TensorFlow's, at every size."""
    same, number = ways("conv(8, 3, stride=2, padding=same)")
    weight = noise(8, 8, 3, 3)
    for height, width in (12, 10), (11, 9):
        x = noise(2, 8, height, width)
        odd = height % 2
        for padding, wanted in (
            (number, F.conv2d(x, weight, None, 2, 1)),
            (same, F.conv2d(F.pad(x, (odd, 1, odd, 1)), weight, None, 2)),
        ):
            text = stage(f"c: conv(8, 3, stride=2, {padding}, bias=false)")
            assert torch.allclose(run(text, x, {"c.weight": weight}), wanted, atol=1e-5)


def test_there_is_no_infinity() -> None:
    (number,) = ways("pad(right=1, bottom=1, value=-inf) -> maxpool(2, stride=1)")
    x = noise(2, 8, 13, 13) - 5
    wanted = F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 2, 1)
    text = stage(f"pad(right=1, bottom=1, value=-{number}) -> maxpool(2, stride=1)")
    assert torch.equal(run(text, x), wanted)


# --- labels, and what flows --------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["left: a -> conv(2, 1)", "x -> left: a -> conv(2, 1)", "left.0: a -> conv(2, 1)"]
)
def test_a_label_before_a_value(line: str) -> None:
    text = f"net A {{\n input x: [8, H, W]\n a = x -> relu\n output y = {line}\n}}"
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(text)
    (said,) = caught.value.diagnostics
    assert said.message == "a label stands before a layer, and `a` is a value"
    (way,) = CODE.findall(said.help[0])
    x = noise(2, 8, 3, 5)
    assert torch.equal(run(text.replace(line, way), x), x.relu())


@pytest.mark.parametrize("loop", ["repeat 2", "for i in 0..2"])
def test_in_is_no_name_in_the_braces_of_a_loop(loop: str) -> None:
    wrong = stage(f"{loop} {{ (in, in -> relu) -> add }}")
    way = CODE.findall(helps(wrong)[0])[0]
    x = noise(2, 8, 3, 5)
    once = x + x.relu()
    assert torch.equal(run(stage(f"{loop} {{ {way} }}"), x), once + once.relu())


@pytest.mark.parametrize("loop", ["repeat 2", "for i in 0..2"])
def test_what_enters_a_loop_gets_a_name(loop: str) -> None:
    (line,) = [w for w in ways(f"{loop} {{ relu ; in -> tanh }}") if w.startswith("x =")]
    way = stage(f"{loop} {{ {line.replace('x', 'was')} ; (was -> relu, was) -> sub }}")
    x = noise(2, 8, 3, 5)
    once = x.relu() - x
    assert torch.equal(run(way, x), once.relu() - once)


def test_what_enters_the_block_in_a_branch_gets_a_name() -> None:
    block = "block B {{\n {first} in[0] -> relu -> add {{ identity ; {second} }}\n}}\n"
    use = "net A {\n input x: [8, H, W]\n output y = (x, x -> tanh) -> B\n}"
    (help,) = helps(block.format(first="", second="in[1]") + use)
    way = CODE.findall(help)[-1]
    x = noise(2, 8, 3, 5)
    text = block.format(first=f"{way} ;", second="b") + use
    assert torch.equal(run(text, x), x.relu() + x.tanh())


def test_a_label_in_quotes_leaves_its_name_to_a_value() -> None:
    text = "net A {\n input x: [8, H, W]\n"
    text += " gate = x -> gate: relu -> mul(2)\n output y = gate -> tanh\n}"
    (way,) = CODE.findall(helps(text)[0])
    x = noise(2, 8, 3, 5)
    right = text.replace("gate: ", way.removesuffix("..."))
    assert torch.equal(run(right, x), (x.relu() * 2).tanh())


@pytest.mark.parametrize(("count", "size"), [(2, 5), (3, 8), (4, 7)])
def test_parts_that_are_not_equal(count: int, size: int) -> None:
    (way,) = ways(f"split({count}) -> concat", f"[{size}, H, W]")
    sizes = [part.shape[0] for part in torch.zeros(size).tensor_split(count)]
    assert way == f"split({sizes})"
    x = noise(2, size, 3, 5)
    assert torch.equal(run(stage(f"{way} -> concat", f"[{size}, H, W]"), x), x)


@pytest.mark.parametrize(
    ("shape", "wrong", "right"),
    [
        ("[8, L]", "height", "length"),
        ("[8, H, W]", "depth", "height"),
        ("[8]", "width", "channels"),
    ],
)
def test_sizes_that_a_value_has(shape: str, wrong: str, right: str) -> None:
    there = ways(f"mul(x.{wrong})", shape)
    assert f".{right}" in there
    for way in there:
        netdsl.loads(stage(f"mul(x{way})", shape))


def test_a_table_of_the_right_shape() -> None:
    wrong = " weight w: [8, 4, 3, 3]\n output y = x -> conv(6, 3, bias=false, weight=w)\n}"
    head = "net A {\n input x: [4, H, W]\n"
    way = CODE.findall(helps(head + wrong)[0])[0]
    netdsl.loads(head + wrong.replace("weight w: [8, 4, 3, 3]", way))


@pytest.mark.parametrize("parameters", ["", "(c: int = 8)"])
def test_a_block_with_the_shape_of_its_input_alone(parameters: str) -> None:
    text = f"block B{parameters} : [C, H, W] {{ relu }}\n" + stage("B")
    both, one = CODE.findall(helps(text)[0])
    x = noise(2, 8, 3, 5)
    for header, body in (both.replace("...", "C, H, W"), "relu"), (one, "x -> relu"):
        way = f"block B{parameters} {header} {{ {body} }}\n"
        assert torch.equal(run(way + stage("B"), x), x.relu())


# --- arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call", ["conv(8, 3, kernel_size=3)", "conv(8, size=5, kernel=3)", "conv(8, ksize=3, size=5)",
             "conv(kernel_size=3, filters=4, kernel=5)", "maxpool(2, window=3)"],
)  # fmt: skip
def test_no_parameter_is_offered_twice(call: str) -> None:
    """What another argument fills is not offered, and no fix leads to `argument-twice`."""
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(stage(call))
    for diagnostic in caught.value.diagnostics:
        if diagnostic.fix is None:
            continue
        (edit,) = diagnostic.fix.edits
        text = stage(call)
        mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
        try:
            netdsl.loads(mended)
        except netdsl.DiagnosticError as error:
            assert "argument-twice" not in [d.code for d in error.diagnostics]


@pytest.mark.parametrize(
    ("chain", "word"),
    [("(x, x) -> attend(2)", "concat"), ("(x, x, x, x) -> attention(2)", "concat"), ("(x, x) -> upsample(2)", "concat"), ("(x, x, x) -> sub", "several")],
)  # fmt: skip
def test_several_values_are_not_joined_where_they_stay_apart(chain: str, word: str) -> None:
    (said,) = helps(
        f"net A {{\n input x: [8, 8{', 8' * ('att' not in chain)}]\n output y = {chain}\n}}"
    )
    assert word not in said


@pytest.mark.parametrize(
    ("name", "way"), [("sqrt(4)", "x ** 0.5"), ("pow(2, 3)", ""), ("mod(7, 4)", "a % b"), ("sin(3)", "")]
)  # fmt: skip
def test_functions_of_other_languages(name: str, way: str) -> None:
    (said,) = helps(stage(f"conv({name}, 1)"))
    assert "did you mean" not in said
    assert way in said


def test_a_number_by_name_is_no_value_either() -> None:
    text = "net A(alpha: float = 0.25) {\n input x: [8, H, W]\n output y = (x, alpha) -> mul\n}"
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(text)
    (said,) = caught.value.diagnostics
    _, way = CODE.findall(said.message)
    (less,) = CODE.findall(said.help[0])
    x = noise(2, 8, 3, 4)
    assert torch.equal(run(text.replace("(x, alpha) -> mul", f"x -> {way}"), x), x * 0.25)
    assert torch.equal(run(text.replace("(x, alpha) -> mul", less), x), 0.25 - x)
