"""`unfold` and `fold` at open sizes, against PyTorch, with ONNX Runtime beside it."""

from __future__ import annotations

import pytest

import netdsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, session  # noqa: E402
from tests.ops.open_sizes import agree, loaded  # noqa: E402

F = torch.nn.functional
POINTS = [{"H": h, "W": w} for h in (1, 2, 3, 5, 8) for w in (1, 4, 6, 7)]
SETTINGS = [
    ("3", {}),
    ("2", {"stride": 2}),
    ("(3, 1)", {"stride": (2, 3), "padding": (1, 0)}),
    ("3", {"dilation": 2, "padding": 2}),
    ("(2, 4)", {"stride": 3, "padding": (0, 2), "dilation": (3, 1)}),
]


def written(kernel: str, settings: dict[str, object], size: str = "") -> str:
    parts = [kernel, *([f"size={size}"] if size else [])]
    return ", ".join([*parts, *(f"{name}={value}" for name, value in settings.items())])


def or_none(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except RuntimeError:
        return None


@pytest.mark.parametrize(("kernel", "settings"), SETTINGS, ids=str)
def test_unfold(kernel: str, settings: dict[str, object]) -> None:
    text = f"net A {{ input x: [3, H, W]\n output y = x -> unfold({written(kernel, settings)}) }}"
    taken, _ = agree(text, POINTS, lambda x: or_none(F.unfold, x, eval(kernel), **settings))
    assert taken >= 8


@pytest.mark.parametrize("size", ["x", "(H, W)", "(x.height, W)"])
@pytest.mark.parametrize(("kernel", "settings"), SETTINGS, ids=str)
def test_fold(kernel: str, settings: dict[str, object], size: str) -> None:
    """What was unfolded goes back to the size that it came from, and cells of overlaps add up."""
    back = written(kernel, settings, size)
    text = f"""net A {{ input x: [3, H, W]
        output y = x -> unfold({written(kernel, settings)}) -> relu -> fold({back}) }}"""

    def oracle(x):
        columns = or_none(F.unfold, x, eval(kernel), **settings)
        if columns is None:
            return None
        return F.fold(columns.relu(), x.shape[2:], eval(kernel), **settings)

    taken, _ = agree(text, POINTS, oracle)
    assert taken >= 8


def test_columns_that_come_from_elsewhere() -> None:
    """Their number must be that of the windows: decided where sizes are known, else required."""
    known = "net A {{ input x: [8, {}]\n output y = x -> fold(2, size=(4, 5), stride=(2, 1)) }}"
    assert str(loaded(known.format(8)).outputs[0].value.type) == "[2, 4, 5]"
    with pytest.raises(netdsl.DiagnosticError) as caught:
        loaded(known.format(9))
    assert "2 times 4 windows lie in that map, and 9 come in" in caught.value.diagnostics[0].message
    open_ = loaded(
        "net A { input x: [8, L]\n output y = x -> fold((2, 2), size=(2, 5), stride=1) }"
    )
    assert str(open_.sizes) == "L = 4"


def test_local_means_by_hand() -> None:
    """A mean filter written with both: unfold, the mean over the window, fold of single cells."""
    text = """net A { input x: [2, H, W]
        columns = x -> unfold(3, padding=1)
        output y = columns -> reshape([2, 9, H * W]) -> permute([0, 2, 1]) -> linear(1, bias=false)
            -> reshape([2, H * W]) -> fold(1, size=x) }"""
    network = loaded(text)
    module = network.torch().eval()
    state = {"linear1.weight": torch.full((1, 9), 1 / 9)}
    module.load_state_dict(state)
    x = torch.randn(2, 2, 6, 5)
    (found,) = outputs(module, [x])
    assert apart(F.avg_pool2d(x, 3, 1, 1).numpy(), found) < 1e-5
    running = session(network.onnx(state).SerializeToString())
    assert apart(found, running.run(None, {"x": x.numpy()})[0]) < 1e-5


def test_what_is_refused() -> None:
    for shape, stage, word in (
        ("[8, 9]", "unfold(3)", "[C, H, W]"),
        ("[8, 4, 4]", "fold(2, size=(4, 4))", "number of windows"),
        ("[9, 4]", "fold(2, size=(3, 3))", "do not divide the 9 channels"),
        ("[8, 2, 9]", "unfold(3)", "too small"),
        ("[8, 4]", "fold(3, size=(2, 4))", "too small"),
    ):
        with pytest.raises(netdsl.DiagnosticError) as caught:
            loaded(f"net A {{ input x: {shape}\n output y = x -> {stage} }}")
        assert word in caught.value.diagnostics[0].message


def test_half_precision() -> None:
    text = "net A { input x: [2, H, W]\n output y = x -> conv(4, 1) -> unfold(3) -> relu -> fold(3, size=x) }"
    network = loaded(text)
    module = network.torch(seed=0).eval()
    x = torch.randn(2, 2, 6, 9)
    wanted = outputs(module, [x])[0]
    running = session(network.onnx(module, half=True).SerializeToString())
    assert apart(wanted, running.run(None, {"x": x.numpy()})[0]) < 1e-2
