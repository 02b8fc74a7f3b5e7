"""Models of Keras: what is imported computes what Keras computed (`keras_models.py` says how)."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netdsl
from netdsl.importers import keras
from netdsl.importers.frontend import Question
from netdsl.importers.keras.files import configuration
from netdsl.importers.keras.structure import model_of
from netdsl.importers.keras.weights import group, has_reader
from tests.importers.keras_models import FOLDER, drawn, input_of, sampled

FACTS: dict[str, Any] = json.loads((FOLDER / "facts.json").read_text())


def numbers_of(name: str) -> dict[str, torch.Tensor]:
    """Our weights of a model, from variables that are drawn as they were for Keras."""
    model = model_of(configuration(str(FOLDER / f"{name}.json")), name)
    net, _ = keras.network_of(model, Question(name))
    variables: dict[tuple[tuple[str, ...], str], list[np.ndarray]] = {}
    number = 0
    for path, part, shapes in FACTS[name]["variables"]:
        arrays: list[np.ndarray] = []
        for variable, shape in shapes:
            arrays.append(drawn(tuple(shape), number, variable))
            number += 1
        variables[tuple(path), part] = arrays
    result: dict[str, torch.Tensor] = {}
    for key, weight in net.weights.items():
        array = weight.convert(variables[alias(weight.owner, variables), "/".join(weight.part)])
        result[key] = torch.from_numpy(np.array(array))
    return result


def alias(owner: tuple[str, ...], variables: Any) -> tuple[str, ...]:
    """A layer that is in two models has its variables under one of them."""
    paths = {path for path, _ in variables}
    return owner if owner in paths else next(path for path in paths if path[-1] == owner[-1])


def first(array: np.ndarray, name: str) -> np.ndarray:
    """Keras's values with their channels in front, as they go in and come out here."""
    return np.moveaxis(array, -1, 1) if array.ndim >= 4 and name != "first" else array


@pytest.mark.parametrize("name", sorted(FACTS))
def test_it_computes_what_keras_computed(name: str) -> None:
    check(netdsl.load(FOLDER / f"{name}.json"), name)


def check(network: netdsl.Network, name: str) -> None:
    """That a network gives the outputs which Keras gave."""
    module = network.torch(seed=0).eval()
    module.load_state_dict(numbers_of(name))
    inputs = [
        torch.from_numpy(np.ascontiguousarray(first(input_of(tuple(shape), place, dtype), name)))
        for place, (shape, dtype) in enumerate(
            zip(FACTS[name]["inputs"], dtypes(network), strict=True)
        )
    ]
    with torch.no_grad():
        results = module(*inputs)
    results = results if isinstance(results, tuple) else (results,)
    by_name = dict(zip((one.name for one in network.outputs), results, strict=True))
    for place, (called, shape, samples) in enumerate(FACTS[name]["outputs"]):
        ours = by_name[called].numpy() if isinstance(called, str) else results[place].numpy()
        ours = np.moveaxis(ours, 1, -1) if ours.ndim >= 4 and name != "first" else ours
        assert list(ours.shape) == shape
        assert np.allclose(sampled(ours), samples, rtol=2e-4, atol=2e-5), called


def dtypes(network: netdsl.Network) -> list[str]:
    return [one.dtype for one in network.inputs]


def test_the_learned_numbers_are_those_of_keras() -> None:
    """Apart from neutral parts of batchnorms, second biases of LSTMs, and what two models share.

    A layer in two models is written twice by Keras, and becomes two where Keras reads that too.
    """
    own = {"maps": 4, "flat": 7, "sequence": 4 * 6 + 2 * 4 * 3, "nested": 4 * 4 * 9 + 4 + 8}
    for name, facts in FACTS.items():
        count = netdsl.load(FOLDER / f"{name}.json").parameters
        assert count == facts["parameters"] + own.get(name, 0), name


def test_a_map_is_flattened_in_the_order_of_keras() -> None:
    text = netdsl.load(FOLDER / "flat.json").source
    assert "permute([1, 2, 0])" in text
    assert "permute([1, 2, 0])" in netdsl.load(FOLDER / "first.json").source


def test_a_layer_within_models_has_their_names_before_it() -> None:
    keys = netdsl.load(FOLDER / "nested.json").torch(seed=0).state_dict().keys()
    assert {"inner.block.conv.weight", "block.conv.weight", "shared.bias"} <= set(keys)


def test_sizes_that_the_model_leaves_open_are_open(tmp_path: Path) -> None:
    """`same` gives half of a size, rounded up, at every size; the source's own size is one."""
    data = json.loads((FOLDER / "maps.json").read_text())
    shape = data["config"]["layers"][0]["config"]["batch_shape"]
    shape[1] = shape[2] = None
    path = tmp_path / "open.json"
    path.write_text(json.dumps(data))
    network = netdsl.load(path)
    assert [str(size) for size in network.inputs[0].shape] == ["3", "H", "W"]
    assert network.sizes.accepts(H=16, W=31)
    check(network, "maps")


def test_a_fixed_size_is_opened_where_that_works() -> None:
    asked = Question(str(FOLDER / "maps.json"), opens=True)
    assert keras.read(asked).program.inputs[0].shape == (3, "H", "W")
    asked = Question(str(FOLDER / "flat.json"), opens=True)
    answer = keras.read(asked)
    assert answer.program.inputs[0].shape == (3, 6, 5)
    assert any("sizes are those of the model" in one for one in answer.remarks)


def test_an_archive_is_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "flat.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", (FOLDER / "flat.json").read_text())
    ours = netdsl.load(path).source
    assert ours == netdsl.load(FOLDER / "flat.json").source


@pytest.mark.parametrize(
    ("name", "owner", "place"),
    [
        ("maps", ("stem",), "layers/conv2d"),
        ("maps", ("gate",), "layers/conv2d_1"),
        ("maps", ("sep",), "layers/separable_conv2d"),
        ("maps", ("stem_bn",), "layers/batch_normalization"),
        ("nested", ("block", "conv"), "layers/sequential/layers/conv2d"),
        ("flat", ("fc2",), "layers/dense_1"),
    ],
)
def test_where_an_archive_has_the_numbers_of_a_layer(
    name: str, owner: tuple[str, ...], place: str
) -> None:
    """As Keras 3.15 wrote them; `benchmarks/import_keras.py` reads them from whole archives."""
    model = model_of(configuration(str(FOLDER / f"{name}.json")), name)
    assert "/".join(group(model, owner)) == place


def test_an_archive_without_a_reader_of_its_numbers_says_so(tmp_path: Path) -> None:
    path = tmp_path / "flat.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", (FOLDER / "flat.json").read_text())
    answer = keras.read(Question(str(path)))
    told = any("h5py" in one for one in answer.remarks)
    assert told == (answer.numbers is None) == (not has_reader())
