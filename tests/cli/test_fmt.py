"""`netdsl fmt`: what it writes, what it refuses, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netdsl.cli import main

ODD = """use   std.conv
net  A( classes:int=10 ){
  input x:[3,H,W]   where H>=8 ,W % 2==0
  # three stages


  y = x->conv( 64,7 , stride = 2 )->relu -> # why
    maxpool(2)
  output z=y -> add{ identity;conv(64,3,padding=(1,1)) ->bn:batchnorm }
}
""".replace(" -> # why\n    maxpool(2)", " # why\n    -> maxpool(2)")
PLAIN = """use std.conv

net A(classes: int = 10) {
    input x: [3, H, W] where H >= 8, W % 2 == 0
    # three stages

    y = x -> conv(64, 7, stride=2) -> relu  # why
        -> maxpool(2)
    output z = y -> add { identity ; conv(64, 3, padding=(1, 1)) -> bn: batchnorm }
}
"""
BROKEN = "net A {\n    input x: [3, 8, 8\n}\n"


def fmt(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["fmt", *arguments], input=stdin)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.net"
    path.write_text(ODD)
    return path


def test_in_place(odd: Path) -> None:
    result = fmt(str(odd))
    assert odd.read_text() == PLAIN
    assert result.exit_code == 0
    assert "1 formatted, 0 left as they were" in result.output
    before = odd.stat().st_mtime_ns
    assert "0 formatted, 1 left" in fmt(str(odd)).output
    assert odd.stat().st_mtime_ns == before


def test_standard_input() -> None:
    result = fmt("-", stdin=ODD)
    assert result.exit_code == 0
    assert result.output == PLAIN


def test_check_and_diff_write_nothing(odd: Path) -> None:
    checked = fmt("--check", str(odd))
    assert checked.exit_code == 1
    assert checked.output == f"{odd} would change\n"
    shown = fmt("--diff", str(odd))
    assert shown.exit_code == 0
    assert "+    output z = y -> add { identity ; conv(" in shown.output
    assert fmt("--check", "--diff", str(odd)).exit_code == 1
    assert odd.read_text() == ODD
    odd.write_text(PLAIN)
    assert (fmt("--check", str(odd)).exit_code, fmt("--diff", str(odd)).output) == (0, "")


def test_one_broken_file_changes_none(odd: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.net"
    broken.write_text(BROKEN)
    result = fmt(str(odd), str(broken))
    assert result.exit_code == 1
    assert "`]` is missing before this" in result.output
    assert (odd.read_text(), broken.read_text()) == (ODD, BROKEN)


def test_what_was_windows_text(tmp_path: Path) -> None:
    """A byte order mark and line ends of two characters go."""
    path = tmp_path / "a.net"
    path.write_bytes(b"\xef\xbb\xbf" + ODD.replace("\n", "\r\n").encode())
    assert fmt(str(path)).exit_code == 0
    assert path.read_bytes() == PLAIN.encode()


def test_deep_nesting() -> None:
    deep = "net A {\n output y = " + "{" * 180 + "relu" + "}" * 180 + "\n}\n"
    assert fmt("-", stdin=deep).exit_code == 0
    deep = "fn f(n: int) = " + "(-" * 150 + "n" + ")" * 150 + "\n"
    assert fmt("-", stdin=deep).exit_code == 0


def test_standard_input_is_called_so() -> None:
    """`-` is how it is asked for, and no name to read in a message."""
    result = CliRunner().invoke(main, ["fmt", "-"], input=b"\xff\xfe")
    assert result.exit_code == 1
    assert "standard input is not UTF-8 text: byte 0 is 0xff" in result.output
