"""`check --fix`: safe fixes only, applied whole, until nothing is left to mend."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netdsl.cli import main

CASES = {
    "two missing uses": (
        "net A {\n    input x: [3, 32, 32]\n    output y = x -> Bottleneck(16) -> ConvBN(8, 3)\n}\n",
        "use std.conv\nuse std.resnet\nnet A {\n    input x: [3, 32, 32]\n    output y = x -> Bottleneck(16) -> ConvBN(8, 3)\n}\n",
    ),
    "other names of parameters": (
        "net A {\n    input x: [3, 8, 8]\n    output y = x -> conv(filters=8, kernel_size=3, strides=2)\n}\n",
        "net A {\n    input x: [3, 8, 8]\n    output y = x -> conv(channels=8, kernel=3, stride=2)\n}\n",
    ),
    "one fix uncovers the next": (
        "net A {\n    input x: [3, 8, 8]\n    output y = x -> ReLU -> MaxPool(kernel_size=2), relu\n}",
        "net A {\n    input x: [3, 8, 8]\n    output y = x -> relu -> maxpool(kernel=2) -> relu\n}",
    ),
}


def fix(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", "--fix", str(path), *arguments])


@pytest.mark.parametrize("name", CASES)
def test_mended(name: str, tmp_path: Path) -> None:
    before, after = CASES[name]
    path = tmp_path / "a.net"
    path.write_text(before)
    result = fix(path)
    assert path.read_text().split() == after.split(), result.output
    assert result.exit_code == 0
    assert "applied" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["a.net"]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_text(CASES["two missing uses"][0])
    fix(path)
    text, stamp = path.read_text(), path.stat().st_mtime_ns
    assert "applied" not in fix(path).output
    assert (path.read_text(), path.stat().st_mtime_ns) == (text, stamp)


@pytest.mark.parametrize("end", ["-> Conv2d(3, 8, 3) -> rellu\n}\n", "-> relu\n"])
def test_guesses_are_left_alone(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a.net"
    text = f"net A {{\n    input x: [3, 8, 8]\n    output y = x {end}"
    path.write_text(text)
    result = fix(path)
    assert result.exit_code == 1
    assert path.read_text() == text


def test_the_mark_and_the_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(b"\xef\xbb\xbfnet A {\r\n input x: [3]\r\n output y = x -> ReLU\r\n}\r\n")
    fix(path)
    assert (
        path.read_bytes()
        == b"\xef\xbb\xbfnet A {\r\n input x: [3]\r\n output y = x -> relu\r\n}\r\n"
    )


def test_used_files_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "b.net").write_text("block B { ReLU }\n")
    path = tmp_path / "a.net"
    path.write_text('use "./b.net"\nnet A { input x: [3]; output y = x -> B }\n')
    assert fix(path).exit_code == 1
    assert (tmp_path / "b.net").read_text() == "block B { ReLU }\n"


def test_standard_input_can_not_be_changed() -> None:
    result = CliRunner().invoke(main, ["check", "--fix", "-"], input="net")
    assert result.exit_code == 2


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    result = fix(tmp_path / "none.net")
    assert result.exit_code == 1
    assert "can't read" in result.output
