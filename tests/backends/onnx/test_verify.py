"""What `--verify` takes for equal, above all where numbers are not finite."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main
from netdsl.ir.dim import evaluate

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from netdsl.backends.onnx.verify import difference  # noqa: E402

LEAST = torch.finfo(torch.float32).min


@pytest.mark.parametrize(
    ("wanted", "found", "apart"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.0], [1.0, 1.0], 0.5),
        ([nan, 2.0], [nan, 2.0], 0),
        ([nan, 2.0], [1.0, 2.0], inf),
        ([1.0, 2.0], [nan, 2.0], inf),
        ([inf, 2.0], [inf, 1.0], 0.5),
        ([nan, 2.0], [nan, 1.0], 0.5),
        ([inf, 2.0], [5.0, 2.0], inf),
        ([-inf, 2.0], [LEAST, 2.0], 0),
        ([-inf, 2.0], [-65504.0, 1.0], 0.5),
        ([nan], [nan], 0),
        ([0.0], [0.0], 0),
        ([], [], 0),
    ],
)
def test_differences(wanted: list[float], found: list[float], apart: float) -> None:
    assert difference(torch.tensor(wanted), torch.tensor(found)) == apart


def exported(tmp_path: Path, text: str, *options: object, state: object = None) -> Result:
    """`netdsl export --verify` of a text, with weights if given."""
    net, weights = tmp_path / "a.net", tmp_path / "a.pt"
    net.write_text(text)
    words: list[object] = ["export", net, "-o", tmp_path / "a.onnx", "--verify", *options]
    if state is not None:
        torch.save(state, weights)
        words += ["--weights", weights]
    return CliRunner().invoke(main, list(map(str, words)))


FC = "net A { input x: [3, H, W]\n output y = x -> fc: conv(2, 1) }"


def test_weights_that_are_no_numbers_are_not_verified(tmp_path: Path) -> None:
    state = {k: v * nan for k, v in netdsl.loads(FC).torch().state_dict().items()}
    result = exported(tmp_path, FC, state=state)
    assert result.exit_code == 1
    assert "no finite number comes out of y" in result.output
    assert (
        "nothing could be compared: every number is nan at H = 1, W = 1, batch 1" in result.output
    )
    assert "worst difference" not in result.output
    assert "mistake in netdsl" not in result.output
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize("number", [nan, inf, -inf])
def test_one_output_without_a_number(number: float, tmp_path: Path) -> None:
    """The others do not vouch for it."""
    text = "net A { input x: [3, H, W]\n output y = x -> conv(2, 1)\n output z = x -> fc: conv(2, 1, bias=true)\n output w = x -> relu }"
    state = netdsl.loads(text).torch().state_dict()
    state["fc.bias"] = torch.full((2,), number)
    result = exported(tmp_path, text, state=state)
    assert result.exit_code == 1, result.output
    assert "nothing could be compared of z: no run gave a finite number" in result.output
    assert not (tmp_path / "a.onnx").exists()


def test_a_channel_that_is_infinite_is_compared_beside_the_others(tmp_path: Path) -> None:
    state = netdsl.loads(FC).torch().state_dict()
    state["fc.bias"] = torch.tensor([inf, 0.0])
    result = exported(tmp_path, FC, state=state)
    assert result.exit_code == 0, result.output
    assert "worst difference" in result.output


def test_a_refusal_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    out = tmp_path / "a.onnx"
    out.write_bytes(b"good")
    state = {k: v * nan for k, v in netdsl.loads(FC).torch().state_dict().items()}
    for options in [], ["--external"]:
        (tmp_path / "a.onnx.data").write_bytes(b"good too")
        assert exported(tmp_path, FC, *options, state=state).exit_code == 1
        assert out.read_bytes() == b"good"
        assert (tmp_path / "a.onnx.data").read_bytes() == b"good too"
        assert {p.name for p in tmp_path.iterdir()} == {"a.net", "a.pt", "a.onnx", "a.onnx.data"}


def runs(output: str) -> list[str]:
    return [
        line.rpartition(":")[0] for line in output.splitlines() if line.startswith(("H =", "W ="))
    ]


def test_sizes_and_batches_that_are_chosen(tmp_path: Path) -> None:
    options = ["--at", "H=5,W=7", "--at", "W=2,H=9", "--batch-sizes", "2,5"]
    result = exported(tmp_path, FC, *options)
    assert result.exit_code == 0, result.output
    assert runs(result.output) == [
        "H = 5, W = 7, batch 2",
        "H = 5, W = 7, batch 5",
        "W = 2, H = 9, batch 2",
        "W = 2, H = 9, batch 5",
    ]
    result = exported(tmp_path, FC, "--batch-sizes", "4")
    assert {line.split()[-1] for line in runs(result.output)} == {"4"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--at", "H=5"], "no size is given for W"),
        (["--at", "H=5,W=5,Q=5"], "there is no size symbol Q"),
        (["--at", "H=2,W=5"], "H = 2, W = 5"),
        (["--at", "H=0,W=5"], "a size lies between 1 and 2**31"),
        (["--at", "H=x,W=5"], "is not SYMBOL=NUMBER"),
        (["--batch-sizes", "0"], "is no batch size"),
        (["--batch-sizes", "1,"], "is no batch size"),
        (["--batch-sizes", "3", "--batch", "3"], "leave --batch-sizes out"),
    ],
)  # fmt: skip
def test_sizes_that_can_not_be_chosen(options: list[str], said: str, tmp_path: Path) -> None:
    result = exported(tmp_path, FC.replace("conv(2, 1)", "conv(2, 3)"), *options)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert not (tmp_path / "a.onnx").exists()


def test_sizes_are_for_a_verification(tmp_path: Path) -> None:
    net = tmp_path / "a.net"
    net.write_text(FC)
    for option in ("--at", "H=5,W=7"), ("--batch-sizes", "2"):
        result = CliRunner().invoke(main, ["export", str(net), "-o", str(tmp_path / "o"), *option])
        assert (result.exit_code, "--verify" in result.output) == (2, True)


HEAVY = {
    "a volume": "net A { input x: [1, D, H, W]\n output y = x -> conv(16, 3) -> relu -> conv(2, 3) }",
    "wide": "net A { input x: [3, H, W]\n output y = x -> conv(2048, 1) -> relu -> conv(3, 1) }",
    "attention": "net A { input x: [H, W, 8]\n output y = x -> reshape([H * W, 8]) -> attention(2) }",
    "large sizes alone": "net A { input x: [4, H, W] where H >= 700, W >= 700\n output y = x -> conv(4, 3) }",
}


@pytest.mark.parametrize("name", HEAVY)
def test_sizes_that_are_chosen_fit_into_memory(name: str) -> None:
    """The largest value, as PyTorch itself sees it, counted without our own analysis."""
    from netdsl.backends.onnx.export import built
    from netdsl.backends.onnx.options import Options
    from netdsl.backends.onnx.trials import MOST_BYTES, trials

    network = netdsl.loads(HEAVY[name])
    module = network.torch().eval().to("meta")
    found = trials(network.graph, built(network.graph, Options()), (1, 3))
    assert found[0] == (network.sizes.smallest(), 1)
    assert name == "large sizes alone" or len({tuple(p.values()) for p, _ in found}) > 1
    for point, batch in found:
        assert network.sizes.accepts(**point)
        inputs = [
            torch.empty(batch, *(evaluate(n, point) for n in item.shape), device="meta")
            for item in network.inputs
        ]
        largest = Largest()
        with largest, torch.no_grad():
            module(*inputs)
        assert largest.bytes <= max(MOST_BYTES, 0 if len(found) > 1 else 2**30), (point, batch)


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that any operation gives."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = func(*args, **(kwargs or {}))
        for part in given if isinstance(given, tuple | list) else [given]:
            if torch.is_tensor(part):
                self.bytes = max(self.bytes, part.numel() * part.element_size())
        return given


def test_no_memory_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netdsl.backends.onnx import verify

    def short(*_: object) -> None:
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        )

    monkeypatch.setattr(verify, "random_input", short)
    result = exported(tmp_path, FC)
    assert result.exit_code == 1
    assert "more memory than there is; choose others: --at" in result.output
    assert "mistake in netdsl" not in result.output
