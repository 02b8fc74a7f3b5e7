"""Files that are no source of a network: each is told what to do with it instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdsl import DiagnosticError
from netdsl.diagnostics import Diagnostic
from netdsl.driver import check
from netdsl.formatting import format_file
from netdsl.importers.others import advice

NET = "net A { input x: [3, H, W] ; output y = x -> conv(3, 3) }"
MODULE = """
import torch.nn as nn
raise SystemExit("this file is not to be run")
class One(nn.Module): ...
class Two(nn.Module): ...
"""


def written(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def only(diagnostics: tuple[Diagnostic, ...]) -> Diagnostic:
    (one,) = diagnostics
    return one


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("w.safetensors", b"\0" * 20, "not-text", "--weights"),
        ("w.pth", b"PK\3\4" + b"\0" * 20, "not-text", "--weights"),
        ("w.weights", b"\0" * 20, "not-text", "--weights"),
        ("w.caffemodel", b"\n\xff\0" * 20, "not-text", "--weights"),
        ("m.pt", b"PK\3\4" + b"\0" * 20, "not-text", "m.onnx"),
        ("m.h5", b"\x89HDF\r\n\x1a\n", "not-text", "m.keras"),
        ("photo.png", b"\x89PNG\r\n\x1a\n", "not-text", "picture"),
    ],
)
def test_files_of_other_kinds(
    tmp_path: Path, name: str, content: bytes, code: str, words: str
) -> None:
    error = only(check(written(tmp_path, name, content)))
    assert error.code == code
    assert words in " ".join(error.help)


def test_a_text_may_be_called_as_it_likes(tmp_path: Path) -> None:
    assert not check(written(tmp_path, "a.pt", NET.encode()))
    assert not check(written(tmp_path, "noending", NET.encode()))


def test_a_python_file_says_what_is_in_it_and_is_not_run(tmp_path: Path) -> None:
    path = written(tmp_path, "nets.py", MODULE.encode())
    error = only(check(path))
    assert error.code == "not-importable"
    assert f"`{path}:One`, `{path}:Two`" in error.help[0]
    assert only(check(str(tmp_path / "none.py"))).code == "unreadable-file"
    broken = written(tmp_path, "broken.py", b"class (")
    assert f"`{broken}:Net`" in only(check(broken)).help[0]


def test_what_is_named_in_python_must_make_something(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = written(tmp_path, "values.py", b"size = 3\n")
    error = only(check(f"{path}:size"))
    assert "a value of the type `int`" in error.message


@pytest.mark.parametrize("content", ['{"a": 1}', "[1, 2]", "3", "null"])
def test_json_that_is_no_model(tmp_path: Path, content: str) -> None:
    error = only(check(written(tmp_path, "plain.json", content.encode())))
    assert "no model of Keras" in error.message
    assert "`class_name`" in error.message
    assert error.span is not None
    assert error.span.source.text == content


@pytest.mark.parametrize("name", ["a.cfg", "a.onnx", "a.py", "a.py:Net", "a.yaml", "a.keras"])
def test_only_net_files_are_formatted(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("x = 1\n")
    with pytest.raises(DiagnosticError, match=r"and no `\.net` file") as caught:
        format_file(str(path))
    assert "netdsl import" in only(caught.value.diagnostics).help[0]
    assert path.read_text() == "x = 1\n"


def test_a_dotted_name_is_told_to_have_a_colon() -> None:
    assert "`torchvision.models:resnet50`" in advice("torchvision.models.resnet50")
    error = only(check("torchvision.models.resnet50"))
    assert error.code == "unreadable-file"
    assert "`torchvision.models:resnet50`" in error.help[0]
    assert not advice("net.txt")
    assert not advice("-")
