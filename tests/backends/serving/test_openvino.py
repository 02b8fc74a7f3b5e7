"""The snippet for OpenVINO runs as it stands: its shapes are taken, and sizes beyond them refused."""

from __future__ import annotations

from typing import Any

import pytest

import netdsl
from netdsl.backends.onnx.options import Options
from netdsl.backends.serving.openvino import partial_shapes
from tests.backends.serving.kits import blocks, kit, module, network
from tests.examples import random_inputs

np = pytest.importorskip("numpy")
pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
openvino = pytest.importorskip("openvino", reason="needs openvino: pip install openvino")

CASES = {
    "lenet": [{}],
    "mtcnn_pnet": [{"H": 11, "W": 11}, {"H": 40, "W": 23}],
    "bert": [{"T": 1}, {"T": 31}],
    "vae": [{"H": 9, "W": 16}, {"H": 40, "W": 31}],
    "fours": [{"H": 4, "W": 32}],
}
BELOW = {"mtcnn_pnet": {"image": (1, 3, 10, 11)}, "fours": {"image": (1, 1, 3, 4)}}


def compiled(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the README's snippet leaves, run in the folder of the kit."""
    folder = kit(name)
    (snippet,) = blocks(folder, "python")
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(snippet, names)
    return names


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", CASES)
def test_it_runs_as_the_module_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = compiled(name, monkeypatch)
    for sizes in CASES[name]:
        for batch in (1, 3):
            xs = random_inputs(network(name), sizes, batch)
            feeds = {i.name: x.numpy() for i, x in zip(network(name).inputs, xs, strict=True)}
            results = names["compiled"](feeds)
            with torch.no_grad():
                wanted = module(name)(*xs)
            wanted = [wanted] if torch.is_tensor(wanted) else [w for w in wanted if w is not None]
            for number, tensor in enumerate(wanted):
                torch.testing.assert_close(
                    torch.from_numpy(results[number]), tensor, rtol=2e-3, atol=2e-4
                )
    for entry, shape in BELOW.get(name, {}).items():
        with pytest.raises(RuntimeError):
            names["compiled"]({entry: np.zeros(shape, "float32")})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("input x: [3, H, W] where H >= 5, H <= 9\n output y = x -> relu", "[1..,3,5..9,1..]"),
        ("input x: [3, H, W] where H % 4 == 0\n output y = x -> relu", "[1..,3,4..,1..]"),
        ("input x: [3, H, W] where H >= W, W >= 7\n output y = x -> relu", "[1..,3,7..,7..]"),
    ],
)  # fmt: skip
def test_each_axis_has_what_the_contract_says_of_it(text: str, wanted: str) -> None:
    graph = netdsl.loads(f"net A {{ {text} }}").graph
    shape = partial_shapes(graph, Options())["x"]
    assert shape == wanted
    taken = openvino.PartialShape(shape)
    low = [taken[n].get_min_length() for n in range(4)]
    assert low == [int(part.split("..")[0]) for part in wanted.strip("[]").split(",")]
