"""ONNX files of others: onnx's own tests, the corpus, and what netdsl itself has exported."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
import pytest
from onnx import numpy_helper

import netdsl
from netdsl import DiagnosticError
from tests import corpus
from tests.importers.onnx_runs import check_equal, check_same, imported, in_torch, module_of, saved

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TESTS = Path(onnx.backend.test.__file__).parent / "data"


# --- onnx's own tests ------------------------------------------------------------------------

CONVERTED = sorted(path.name for path in (TESTS / "pytorch-converted").glob("test_*"))
LAST_OF_6 = {"test_BatchNorm", "test_Linear", "test_PReLU", "test_Softsign", "test_Poisson"}
"""Files whose operators have attributes that opset 7 has no more."""


@pytest.mark.parametrize("name", CONVERTED)
def test_modules_that_were_exported_from_pytorch(name: str, tmp_path: Path) -> None:
    folder = TESTS / "pytorch-converted" / name
    model = onnx.load(folder / "model.onnx")
    if model.opset_import[0].version < 7:
        model.opset_import[0].version = 7
    try:
        result, network = imported(saved(model, tmp_path))
    except DiagnosticError:
        assert any(name.startswith(word) for word in LAST_OF_6)
        return
    data = folder / "test_data_set_0"
    feeds, wanted = (
        {path.name: numpy_helper.to_array(onnx.load_tensor(path)) for path in sorted(data.glob(p))}
        for p in ("input_*.pb", "output_*.pb")
    )
    check_equal(in_torch(module_of(result, network), feeds), list(wanted.values()), result.text)


@cache
def node_tests() -> dict[str, Any]:
    """onnx's tests of single operators that the language has a word for."""
    from onnx.backend.test.case.node import collect_testcases

    with np.errstate(all="ignore"):
        cases = collect_testcases(None)
    return {one.name: one for one in cases if "_expanded" not in one.name and one.data_sets}


def as_file(model: onnx.ModelProto, values: list[Any], flows: tuple[int, ...], opset: int) -> Any:
    """A test of an operator as a file: some inputs flow, the others are numbers of the file."""
    file = onnx.ModelProto()
    file.CopyFrom(model)
    del file.opset_import[:]
    file.opset_import.append(onnx.helper.make_opsetid("", opset))
    if file.graph.node[0].op_type in ("LayerNormalization", "Dropout"):
        del file.graph.output[1:]
        del file.graph.node[0].output[1:]
    feeds = {}
    for number, (port, value) in enumerate(zip(model.graph.input, values, strict=False)):
        if number in flows:
            feeds[port.name] = np.asarray(value)
        else:
            file.graph.initializer.append(numpy_helper.from_array(np.asarray(value), port.name))
    return file, feeds


def flows(count: int) -> Iterator[tuple[int, ...]]:
    """Which inputs may be those that flow."""
    yield (0,)
    if count > 1:
        yield from (tuple(range(count)), (1,))


ROUNDED = ("test_averagepool_2d_ceil_last_window_starts_on_pad",)
"""Tests whose numbers are given with four digits."""
LEAST = 320
"""How many of onnx's tests are to pass; others mix samples, or have no word."""


@pytest.mark.full
def test_onnx_tests_of_operators_pass_or_are_refused(tmp_path: Path) -> None:
    """None computes other numbers; each operator counts at every opset that has it so."""
    passed: set[str] = set()
    for name, case in node_tests().items():
        model, (values, wanted) = case.model, case.data_sets[0]
        operator, own = model.graph.node[0].op_type, model.opset_import[0].version
        plain = all(isinstance(value, np.ndarray | np.generic) for value in values)
        if model.graph.node[0].domain or not plain or name in ROUNDED:
            continue
        top = max(7, min(24, own))
        if not onnx.defs.has(operator, max_inclusive_version=top):
            continue  # it is newer
        least = max(7, onnx.defs.get_schema(operator, top, "").since_version)
        for chosen in flows(len(values)):
            for opset in {least, top}:  # the operator is the same at all opsets between
                file, feeds = as_file(model, values, chosen, opset)
                if _passes(saved(file, tmp_path), feeds, wanted[: len(file.graph.output)]):
                    passed.add(f"{name} {opset}")
    names = {one.split()[0] for one in passed}
    print(len(names), "tests,", len(passed), "at their first and last opset")
    assert len(names) >= LEAST


def _passes(path: str, feeds: Any, wanted: list[Any]) -> bool:
    try:
        result, network = imported(path)
    except DiagnosticError:
        return False
    if any(
        value.dtype.name not in ("float32", "int64", "bool") or not value.size
        for value in feeds.values()
    ):
        return False
    if result.answer.remarks or any(
        not np.isfinite(np.asarray(one, float)).all() for one in wanted
    ):
        return False
    check_equal(
        in_torch(module_of(result, network), feeds),
        [np.asarray(one) for one in wanted],
        f"{path}\n{result.text}",
    )
    return True


# --- the corpus ------------------------------------------------------------------------------

LIGHT = [*corpus.table("onnx_light", "golden_forward")]
PARAMETERS = {
    "light_bvlc_alexnet": 60_965_224,
    "light_inception_v2": 11_194_984,
    "light_resnet50": 25_557_032,
    "light_squeezenet": 1_235_496,
    "light_vgg19": 143_667_240,
}
SHOWN = ("Relu", "MaxPool", "AveragePool", "Concat", "LRN", "Softmax")
LARGE = ("light_vgg19", "light_bvlc_alexnet")


def filled(path: Path) -> onnx.ModelProto:
    """A file with numbers of the golden forwards in place of equal ones."""
    model = onnx.load(path)
    graph = model.graph
    empty = {n.output[0]: n for n in graph.node if n.op_type == "ConstantOfShape"}
    sources = {name: name for name in empty}
    shapes = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    made: dict[str, np.ndarray] = {}
    ordinal = 0
    for node in graph.node:
        if node.op_type in ("Constant", "Reshape", "Unsqueeze"):
            if node.op_type != "Constant" and node.input[0] in sources:
                sources[node.output[0]] = sources[node.input[0]]
            continue
        owned = [sources[name] for name in node.input if name in sources]
        for q, name in enumerate(owned):
            shape = tuple(int(n) for n in shapes[empty[name].input[0]])
            drawn = corpus.drawn(int(np.prod(shape)), 8 * ordinal + q).reshape(shape)
            made[name] = _scaled(node.op_type, q, drawn)
        ordinal += bool(owned)
    for name, array in made.items():
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
    kept = [n for n in graph.node if n.op_type != "ConstantOfShape" or n.output[0] not in made]
    del graph.node[:]
    graph.node.extend(kept)
    return model


def _scaled(operator: str, q: int, drawn: np.ndarray) -> np.ndarray:
    if operator in ("Conv", "Gemm"):
        return (
            drawn * np.float32((6 / (drawn.size / drawn.shape[0])) ** 0.5)
            if q == 0
            else 0.1 * drawn
        )
    if operator == "BatchNormalization":
        return (1 + 0.2 * drawn, 0.1 * drawn, 0.1 * drawn, 1 + 0.5 * drawn)[q]
    return 1 + 0.2 * drawn if operator == "Mul" else 0.1 * drawn


@corpus.NEEDED
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.full if n in LARGE else ()) for n in LIGHT]
)
def test_real_networks_compute_what_onnx_runtime_did(name: str, tmp_path: Path) -> None:
    """The file's own weights are equal numbers, so that no wiring shows; the golden ones do."""
    path = corpus.FOLDER / "onnx_light" / f"{name}.onnx"
    _, plain = imported(str(path))
    model = filled(path)
    golden = {
        one["output"]: one
        for one in corpus.table("onnx_light", "golden_forward")[name]["nodes"]
        if one["op"] in SHOWN
    }
    del model.graph.output[:]
    for output in golden:
        model.graph.output.append(onnx.ValueInfoProto(name=output))
    result, network = imported(saved(model, tmp_path))
    shape = (1, *network.inputs[0].shape)
    image = ((corpus.drawn(int(np.prod(shape)), 0xFFFF) + 1) / 2).reshape(shape)
    ours = in_torch(module_of(result, network), {"x": image})
    for value, one in zip(ours, golden.values(), strict=True):
        close = pytest.approx(one["mean"], rel=1e-3, abs=1e-5)
        assert float(value.mean()) == close
        wanted = np.asarray(one["samples"], np.float32)
        assert np.abs(corpus.samples(value) - wanted).max() <= 2e-4 * max(1, np.abs(wanted).max())
    scales = sum(node.op_type in ("Mul", "Add") for node in model.graph.node)
    assert plain.parameters == PARAMETERS[name], scales


# --- our own exports -------------------------------------------------------------------------

SMALL = ["lenet", "mtcnn_onet", "audio_1d", "crnn", "rgb6", "unet16", "squeezenet1_1", "hourglass"]
MORE = [
    "resnet18", "googlenet", "shufflenet_v2_x1_0", "mobilenet_v3_large", "efficientnet_b0",
    "densenet121", "convnext_tiny", "sppnet", "alexnet", "siamese", "autoencoder", "fpn", "llama", "ssd300_vgg16",
    "unet", "regnet_y_400mf", "pnasnet", "lraspp_mobilenet_v3_large", "unet3d", "vit_b_16",
]  # fmt: skip


TIED = ("llama",)
"""Networks with one weight in two layers, each of which has its own then."""


def bare(model: onnx.ModelProto) -> None:
    """Take all names but those of inputs and outputs, all texts and all metadata from a file."""
    graph = model.graph
    kept = {one.name for one in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": ""} | {name: name for name in kept}

    def number(name: str) -> str:
        return names.setdefault(name, str(len(names)))

    model.doc_string = graph.doc_string = ""
    graph.name = "g"
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    for one in graph.initializer:
        one.name, one.doc_string = number(one.name), ""
    for node in graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        node.input[:] = [number(name) for name in node.input]
        node.output[:] = [number(name) for name in node.output]


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(n, marks=pytest.mark.full) for n in MORE)])
def test_our_own_exports_come_back(name: str, tmp_path: Path) -> None:
    """With the same numbers at several sizes, the same parameters, and the same contract."""
    network = netdsl.load(EXAMPLES / f"{name}.net")
    path = tmp_path / "net.onnx"
    network.export(path, network.torch(seed=0))
    model = onnx.load(path)
    bare(model)
    symbols = sorted(set(network.graph.symbols))
    sizes = [{}]
    if symbols:
        wished = [{one: base + n for n, one in enumerate(symbols)} for base in (64, 97)]
        sizes = [
            size if network.sizes.accepts(**size) else network.sizes.nearest(**size).up
            for size in wished
        ]
    run_sizes = [{"N": 1, "batch": 1, **(size or {})} for size in sizes]
    named = {d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim} - {""}
    run_sizes = [{key: size.get(key, 1) for key in named} for size in run_sizes]
    _, back = check_same(saved(model, tmp_path, "bare.onnx"), run_sizes)
    assert str(back.sizes) == str(network.sizes)
    if name not in TIED and not any(one.when_training for one in network.outputs):
        assert back.parameters == network.parameters
