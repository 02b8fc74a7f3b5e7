"""Configurations of Keras that are wrong: an error at the layer that is at fault, and never a crash."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl import DiagnosticError
from netdsl.importers import keras
from netdsl.importers.frontend import Question
from tests.importers.keras_models import FOLDER
from tests.importers.mutations import changed_text, changed_tree
from tests.sampling import some

MODELS = ("flat", "maps", "sequence", "nested", "arithmetic", "first", "acts")


def of(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def refusal(path: Path, data: Any) -> str:
    """The only error of a configuration, with its place."""
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(DiagnosticError) as caught:
        netdsl.load(path)
    return str(caught.value.diagnostics[0]).removeprefix(str(path))


def layer_of(data: Any, name: str) -> Any:
    return next(one for one in data["config"]["layers"] if one["config"].get("name") == name)


@pytest.mark.parametrize(
    ("model", "layer", "setting", "value", "told"),
    [
        ("maps", "stem", "kernel_size", [3, "x"], ":3:5: error[not-importable]: Conv2D: `kernel_size` has 2 whole"),
        ("maps", "stem", "filters", 0, "`filters` is a whole number from 1, not `0`"),
        ("maps", "stem", "groups", 2, ":3:5: error[bad-argument]"),
        ("maps", "stem", "padding", "reflect", "`padding` is valid or same here, not `reflect`"),
        ("maps", "stem", "activation", "my_act", "the activation `my_act` is not known"),
        ("maps", "stem", "data_format", "channels_first", "the channels lie at another axis"),
        ("maps", "stem", "magic", 3, "the setting `magic=3` is not known"),
        ("maps", "up1", "dilation_rate", [2, 2], "`dilation_rate=[2, 2]` has no word"),
        ("maps", "stem_bn", "renorm", True, "`renorm=True` has no word in the language"),
        ("flat", "fc1", "units", -3, "`units` is a whole number from 1, not `-3`"),
        ("flat", "fc1", "dtype", "float16", "it computes in `float16`, and float32 is read"),
        ("sequence", "embedding", "mask_zero", True, "`mask_zero=True` has no word"),
        ("sequence", "lstm", "activation", "relu", "`activation=relu` has no word"),
        ("sequence", "lstm", "return_state", True, "`return_state=True` has no word"),
        ("acts", "prelu", "shared_axes", [1], "slopes are read that are the same along all axes"),
        ("acts", "norm", "rms_scaling", True, "`rms_scaling=True` has no word"),
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong(
    tmp_path: Path, model: str, layer: str, setting: str, value: Any, told: str
) -> None:
    data = of(model)
    layer_of(data, layer)["config"][setting] = value
    assert told in refusal(tmp_path / "net.json", data)


def test_the_line_is_that_of_the_layer(tmp_path: Path) -> None:
    data = of("flat")
    layer_of(data, "fc1")["config"]["units"] = "many"
    path = tmp_path / "net.json"
    path.write_text(json.dumps(data))
    with pytest.raises(DiagnosticError) as caught:
        netdsl.load(path)
    span = caught.value.diagnostics[0].span
    assert span is not None
    assert span.text.startswith("fc1: Dense(units=many")


def test_code_is_not_run(tmp_path: Path) -> None:
    data = of("flat")
    layer_of(data, "fc1").update(class_name="Lambda", module="keras.layers")
    told = refusal(tmp_path / "net.json", data)
    assert "the layer Lambda has no word" in told
    layer_of(data, "fc1").update(class_name="MyDense", module="my.layers")
    assert "the layer MyDense has no word" in refusal(tmp_path / "net.json", data)
    data["class_name"] = "MyModel"
    assert "`MyModel` is no model of layers" in refusal(tmp_path / "net.json", data)


def test_a_layer_of_keras_applications_is_theirs(tmp_path: Path) -> None:
    data = of("flat")
    layer_of(data, "conv").update(class_name="LayerScale", module="mine", config={"name": "conv"})
    assert "a class of your own, whose code is not run" in refusal(tmp_path / "net.json", data)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ":1:1: error[not-importable]: this is no JSON"),
        ("{", "this is no JSON"),
        ("[" * 100_000, "error[too-deep]"),
        ('{"a": ' * 50_000, "error[too-deep]"),
        ("[]", "no model of Keras"),
        ('{"class_name": "Sequential", "config": {"layers": []}}', "the model has no layers"),
        ('{"class_name": "Sequential", "config": {"layers": [3]}}', "a layer is an object"),
        ('{"class_name": "Functional", "config": {"layers": [{"class_name": "A", "config": {}}]}}', "has no name"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ('{"a": ' + "9" * 5000 + "}", "this is no JSON"),
    ],
)  # fmt: skip
def test_text_that_is_no_model(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(tmp_path / "net.json", text)


def test_names_that_are_one_key(tmp_path: Path) -> None:
    data = of("flat")
    layer_of(data, "fc2")["config"]["name"] = "fc.1"
    layer_of(data, "fc1")["config"]["name"] = "fc_1"
    assert "`fc_1` and `fc.1` are one name in a key" in refusal(tmp_path / "net.json", data)


def test_arguments_that_change_a_call(tmp_path: Path) -> None:
    data = of("maps")
    kwargs = layer_of(data, "stem_bn")["inbound_nodes"][0]["kwargs"]
    for told, more in {
        "`training=True` at inference": {"training": True},
        "masks have no word": {"mask": [1]},
        "is called with `gain`": {"gain": 3},
    }.items():
        kwargs.clear()
        kwargs.update(more)
        assert told in refusal(tmp_path / "net.json", data)


def test_models_within_models_end(tmp_path: Path) -> None:
    inner = of("flat")
    for place in range(40):
        inner = {
            "class_name": "Sequential",
            "name": f"m{place}",
            "config": {"name": f"m{place}", "layers": [inner]},
        }
    assert "error[too-deep]" in refusal(tmp_path / "net.json", inner)


def test_layers_in_a_circle(tmp_path: Path) -> None:
    data = of("maps")
    stem, bn = (layer_of(data, name) for name in ("stem", "stem_bn"))
    stem["inbound_nodes"] = json.loads(
        json.dumps(bn["inbound_nodes"]).replace('"stem"', '"stem_bn"')
    )
    assert "which waits for it" in refusal(tmp_path / "net.json", data)


def test_what_keras_2_wrote(tmp_path: Path) -> None:
    data = of("maps")
    layer_of(data, "stem")["inbound_nodes"] = [[["image", 0, 0, {}]]]
    assert "this was written by Keras 2" in refusal(tmp_path / "net.json", data)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x89HDF\r\n", b"PK\x05\x06" + bytes(18)])
def test_an_archive_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(content)
    with pytest.raises(DiagnosticError):
        netdsl.load(path)


def test_an_archive_that_grows_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", " " * 60_000_000)
    with pytest.raises(DiagnosticError, match="larger than 10 MB"):
        netdsl.load(path)


def test_no_settings_and_no_weights() -> None:
    path = FOLDER / "flat.json"
    with pytest.raises(DiagnosticError, match="no setting `scale`"):
        keras.read(Question(str(path), settings={"scale": "n"}))
    with pytest.raises(DiagnosticError, match="has no input `picture`"):
        keras.read(Question(str(path), inputs={"picture": (3, 6, 5)}))
    with pytest.raises(DiagnosticError, match="channels in front"):
        keras.read(Question(str(path), inputs={"image": (6, 5, 3)}))


def attempt(path: Path, *, wholly: bool) -> None:
    """Import, which may be refused with places."""
    try:
        if wholly:
            netdsl.load(path)
        else:
            keras.read(Question(str(path)))
    except DiagnosticError as error:
        for one in error.diagnostics:
            assert one.span is not None, one


@pytest.mark.parametrize("model", MODELS)
def test_mutations(tmp_path: Path, model: str) -> None:
    text = (FOLDER / f"{model}.json").read_text()
    tree, random = json.loads(text), Random(f"keras {model}")
    path = tmp_path / "net.json"
    for number in some(range(220), 5):
        if number % 3 == 2:
            path.write_text(changed_text(text, random), errors="replace")
        else:
            path.write_text(json.dumps(changed_tree(tree, random)))
        attempt(path, wholly=number % 4 == 0)
