"""Checkpoints against networks: what fits loads, what does not is told key by key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main

torch = pytest.importorskip("torch")
save_file = pytest.importorskip("safetensors.torch").save_file

from tests.torchvision_models import torchvision_models  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
TEXT = """
block Unit(channels: int) { conv: conv(channels, 3, padding=1, bias=false) -> bn: batchnorm -> relu }
net A(classes: int = 5) {
    input image: [3, 8, 8]
    output y = image -> stem: Unit(4) -> body: repeat 2 { Unit(4) } -> global_avgpool -> fc: linear(classes)
}
"""


@pytest.fixture(scope="module")
def network() -> netdsl.Network:
    return netdsl.loads(TEXT)


@pytest.fixture
def state(network: netdsl.Network) -> dict[str, Any]:
    return dict(network.torch(seed=1).state_dict())


def said(network: netdsl.Network, weights: object, **options: Any) -> list[tuple[str, str]]:
    found = network.check_weights(weights, **options)
    return [(d.code, d.span.text if d.span else "") for d in found]


def test_what_fits_is_silent(
    network: netdsl.Network, state: dict[str, Any], tmp_path: Path
) -> None:
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "a.pt")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    numbers = {key: value.numpy() for key, value in state.items()}
    files = [tmp_path / "a.safetensors", str(tmp_path / "a.pt"), tmp_path / "old.pth"]
    for source in (*files, state, numbers, network.torch()):
        assert network.check_weights(source) == ()


def test_a_missing_weight_points_to_its_layer(
    network: netdsl.Network, state: dict[str, Any]
) -> None:
    state["head.weight"] = state.pop("fc.weight")
    missing, extra = network.check_weights(state)
    assert (missing.code, missing.span and missing.span.text) == (
        "missing-weight",
        "fc: linear(classes)",
    )
    assert missing.help == ("there is `head.weight`: label the layer so, or rename it",)
    assert missing.label == "has shape [5, 4]"
    assert (extra.code, extra.span) == ("unexpected-weight", None)


def test_a_line_that_stands_for_many_layers_is_one_message(
    network: netdsl.Network, state: dict[str, Any]
) -> None:
    for key in [k for k in state if k.endswith("conv.weight")]:
        state[key] = torch.zeros(2, 2)
    (wrong,) = network.check_weights(state)
    assert wrong.code == "weight-shape"
    assert wrong.message == "`stem.conv.weight` has shape [2, 2], and the net [4, 3, 3, 3]"
    assert wrong.notes == (
        "`body.0.conv.weight` has shape [2, 2], and the net [4, 4, 3, 3]",
        "`body.1.conv.weight` has shape [2, 2], and the net [4, 4, 3, 3]",
    )


@pytest.mark.parametrize(
    ("kind", "is_error"),
    [("int64", True), ("bool", True), ("complex64", True), ("float16", False), ("bfloat16", False), ("float64", False)],
)  # fmt: skip
def test_types(network: netdsl.Network, state: dict[str, Any], kind: str, is_error: bool) -> None:
    state["fc.weight"] = state["fc.weight"].to(getattr(torch, kind))
    (found,) = network.check_weights(state)
    assert (found.code, found.is_error) == ("weight-dtype", is_error)
    assert kind in found.message
    if is_error:
        with pytest.raises(netdsl.DiagnosticError, match="weight-dtype"):
            network.torch(weights=state)
        return
    loaded = network.torch(weights=state).state_dict()["fc.weight"]
    assert torch.equal(loaded, state["fc.weight"].float())


def test_sparse_and_empty_tensors_are_refused(
    network: netdsl.Network, state: dict[str, Any]
) -> None:
    for other in state["fc.weight"].to_sparse(), state["fc.weight"].to("meta"):
        assert said(network, {**state, "fc.weight": other}) == [
            ("weight-dtype", "fc: linear(classes)")
        ]


PREFIXES = ["module.", "model.", "state_dict.", "state_dict.module.", "net.backbone.", "_orig_mod."]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_is_found_and_taken_off(
    network: netdsl.Network, state: dict[str, Any], prefix: str, tmp_path: Path
) -> None:
    torch.save({prefix + key: value for key, value in state.items()}, tmp_path / "a.pt")
    (found,) = network.check_weights(tmp_path / "a.pt")
    assert found.code == "renamed-weights"
    assert found.help == (f"`--rename {prefix}=`, in Python `rename={ {prefix: ''} }`",)
    assert network.check_weights(tmp_path / "a.pt", rename={prefix: ""}) == ()
    loaded = network.torch(weights=tmp_path / "a.pt", rename={prefix: ""})
    assert torch.equal(loaded.state_dict()["fc.weight"], state["fc.weight"])


def test_a_table_in_a_table(network: netdsl.Network, state: dict[str, Any]) -> None:
    below = {f"module.{key}": value for key, value in state.items()}
    saved = {"epoch": 7, "state_dict": below, "optimizer": {"state": {0: {"m": torch.zeros(3)}}}}
    (found,) = network.check_weights(saved)
    assert "`--rename state_dict.module.=`" in found.help[0]
    assert network.check_weights(saved, rename={"state_dict.module.": ""}) == ()


def test_averaged_weights_beside_the_last_ones(
    network: netdsl.Network, state: dict[str, Any]
) -> None:
    """Two prefixes that fit alike: the first in the alphabet is proposed, the other told."""
    both = {"model": state, "model_ema": {f"module.{k}": v for k, v in state.items()}}
    (found,) = network.check_weights(both)
    assert found.help[0].startswith("`--rename model.=`")
    assert found.notes == ("as many fit by `--rename model_ema.module.=`: a second copy",)
    assert not network.check_weights(both, rename={"model_ema.module.": ""})


def test_a_prefix_of_the_network(state: dict[str, Any]) -> None:
    larger = netdsl.loads(
        TEXT.replace("net A(classes: int = 5)", "block B(classes: int)").replace(
            "    input image: [3, 8, 8]\n    output y = image -> ", "    "
        )
        + "net N { input image: [3, 8, 8]\n output y = image -> backbone: B(5) }"
    )
    (found,) = larger.check_weights(state)
    assert "`--rename =backbone.`" in found.help[0]
    loaded = larger.torch(weights=state, rename={"": "backbone."}).state_dict()
    assert torch.equal(loaded["backbone.fc.bias"], state["fc.bias"])


def test_a_prefix_that_explains_all_but_one(network: netdsl.Network, state: dict[str, Any]) -> None:
    renamed = {f"module.{key}": value for key, value in state.items()}
    del renamed["module.fc.bias"]
    codes = [code for code, _ in said(network, renamed)]
    assert codes == ["renamed-weights", "missing-weight"]


def test_a_rule_that_takes_nothing(network: netdsl.Network, state: dict[str, Any]) -> None:
    assert said(network, state, rename={"backbone.": ""}) == [("renamed-weights", "")]


def test_another_network(network: netdsl.Network) -> None:
    (found,) = network.check_weights({"a.weight": torch.zeros(3), "b": torch.zeros(2)})
    assert found.code == "missing-weight"
    assert "of another network" in found.message
    assert found.notes[0] == "it holds `a.weight` and `b`"
    assert said(network, {}) == [("bad-weights", "")]


def test_counters_of_batches_may_be_missing(network: netdsl.Network, state: dict[str, Any]) -> None:
    state["stem.bn.num_batches_tracked"] += 7
    del state["body.0.bn.num_batches_tracked"]
    assert network.check_weights(state) == ()
    loaded = network.torch(weights=state).state_dict()
    assert int(loaded["stem.bn.num_batches_tracked"]) == 7
    assert int(loaded["body.0.bn.num_batches_tracked"]) == 0


@pytest.mark.parametrize("source", [7, [torch.zeros(3)], {"a": 1}, {1: {2: "b"}}])
def test_what_is_no_table_of_tensors(network: netdsl.Network, source: object) -> None:
    assert [d.code for d in network.check_weights(source)] == ["bad-weights"]
    with pytest.raises(netdsl.DiagnosticError, match="bad-weights"):
        network.torch(weights=source)


def test_export_and_torch_give_the_same_errors(
    network: netdsl.Network, state: dict[str, Any], tmp_path: Path
) -> None:
    del state["fc.bias"]
    errors = [str(d) for d in network.check_weights(state)]
    with pytest.raises(netdsl.DiagnosticError) as loading:
        network.torch(weights=state)
    with pytest.raises(netdsl.DiagnosticError) as exporting:
        network.export(tmp_path / "a.onnx", state)
    assert [str(d) for d in loading.value.diagnostics] == errors
    assert [str(d) for d in exporting.value.diagnostics] == errors
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize(
    ("example", "model"),
    [("resnet18", "resnet18"), ("mobilenet_v2", "mobilenet_v2"), ("squeezenet1_1", "squeezenet1_1"),
     ("densenet121", "densenet121"), ("googlenet", "googlenet")],
)  # fmt: skip
def test_checkpoints_of_torchvision(example: str, model: str, tmp_path: Path) -> None:
    options = {"init_weights": False} if model == "googlenet" else {}
    theirs = getattr(torchvision_models(), model)(**options)
    save_file(theirs.state_dict(), tmp_path / "a.safetensors")
    network = netdsl.load(ROOT / "examples" / f"{example}.net")
    assert network.check_weights(tmp_path / "a.safetensors") == ()
    loaded = network.torch(weights=tmp_path / "a.safetensors").state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in theirs.state_dict().items())


# --- the command -----------------------------------------------------------------------------


def check(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


def test_the_command(state: dict[str, Any], tmp_path: Path) -> None:
    file, weights = tmp_path / "a.net", tmp_path / "a.safetensors"
    file.write_text(TEXT)
    save_file(state, weights)
    assert check(file, "--weights", weights).exit_code == 0
    wrong = check(file, "--weights", weights, "--set", "classes=7")
    assert wrong.exit_code == 1
    assert "a.net:5:90" in wrong.output
    assert "`fc.weight` has shape [5, 4], and the net [7, 4]" in wrong.output


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_forms_for_tools(form: str, state: dict[str, Any], tmp_path: Path) -> None:
    file, weights = tmp_path / "a.net", tmp_path / "a.safetensors"
    file.write_text(TEXT)
    del state["fc.bias"]
    save_file({**state, "head": torch.zeros(1)}, weights)
    result = check(file, "--weights", weights, "--format", form)
    assert result.exit_code == 1
    if form == "json":
        found = json.loads(result.output)
        assert [(d["code"], d["line"]) for d in found] == [
            ("missing-weight", 5),
            ("unexpected-weight", None),
        ]
    elif form == "sarif":
        (run,) = json.loads(result.output)["runs"]
        assert [r["ruleId"] for r in run["results"]] == ["missing-weight", "unexpected-weight"]
    else:
        assert result.output.count("::error") == 2


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(TEXT)
    for options in (
        ["--fix", "--weights", "a.pt"],
        ["--rename", "a=b"],
        ["--weights", "a.pt", "--rename", "a"],
    ):
        assert check(tmp_path / "a.net", *options).exit_code == 2


def test_neither_torch_nor_numpy_is_loaded(state: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(TEXT)
    save_file(state, tmp_path / "a.safetensors")
    program = (
        "import sys, netdsl; n = netdsl.load('a.net'); assert n.check_weights('a.safetensors') == ()\n"
        "print([m for m in ('torch', 'numpy', 'onnx') if m in sys.modules])\n"
        "sys.modules['torch'] = None; print(n.check_weights('a.pt')[0])"
    )
    (tmp_path / "a.pt").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    loaded, without = done.stdout.splitlines()
    assert loaded == "[]", done.stderr
    assert (
        without == "error[bad-weights]: a.pt can be read with PyTorch only, which is not installed"
    )
