"""Numbers and sizes on the command line: one way to write them, one message for a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netdsl.cli import main

OPEN = "net A { input image: [1, H, W]\n output y = image -> conv(2, 3) }"
FIXED = "net A { input image: [1, 28, 28]\n output y = image -> conv(2, 3) }"
WRONG = ["H=٣", "H=+5", "H=1e3", "H=1_000", "H=-1", "H=5.0", "H=0x10", "H=", "H", "=5", "", "H=٣5"]
BEYOND = ["H=0", "H=99999999999", "H=2147483649", "H=000000000000"]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    def run(command: str, *arguments: str, text: str = OPEN) -> Result:
        path = tmp_path / "a.net"
        path.write_text(text)
        result = CliRunner().invoke(main, [command, str(path), *arguments])
        assert "internal error" not in result.output
        return result

    return run


def commands(tmp_path: Path, size: str) -> list[list[str]]:
    out = str(tmp_path / "out")
    given = ["--size", size]
    return [
        ["check", *given],
        ["summary", *given],
        ["sizes", *given],
        ["compile", "-o", f"{out}.py", *given],
        ["draw", "-o", f"{out}.svg", *given],
        ["export", "-o", f"{out}.onnx", *given],
        ["sizes", "--accepts", size],
        ["sizes", "--table", f"W=1..4,{size}"],
    ]


@pytest.mark.parametrize("size", WRONG)
def test_what_is_no_size(run: Callable[..., Result], tmp_path: Path, size: str) -> None:
    for command in commands(tmp_path, size):
        result = run(*command)
        assert result.exit_code == 2, command
        assert "is not SYMBOL=NUMBER" in result.output


@pytest.mark.parametrize("size", BEYOND)
def test_sizes_out_of_bounds(run: Callable[..., Result], tmp_path: Path, size: str) -> None:
    for command in commands(tmp_path, size):
        result = run(*command)
        assert result.exit_code == 2, command
        assert f"a size lies between 1 and 2**31, and H is {size[2:]}" in result.output


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("H=1..5:0", "the step of a range is at least 1"),
        ("H=5..1", "has 0 sizes"),
        ("H=4..4", "has 0 sizes"),
        ("H=1..100000", "has 99,999 sizes"),
        ("H=1..99999999999", "2**31"),
        ("H=0..5", "2**31"),
        ("H=1..5,W=0", "2**31"),
        ("H=٣..5", "plain digits"),
        ("H=1..5:٢", "plain digits"),
        ("H=1..5:-1", "plain digits"),
        ("H=1..5,W=1..5", "one symbol has a range"),
        ("H=3", "one symbol has a range"),
        ("H=1..5,H=3", "given twice"),
        ("Q=1..5", "no size symbol Q"),
    ],
)
def test_ranges_that_are_none(run: Callable[..., Result], table: str, said: str) -> None:
    result = run("sizes", "--table", table)
    assert result.exit_code == 2
    assert said in result.output


def test_the_longest_range_of_large_steps(run: Callable[..., Result]) -> None:
    result = run("sizes", "--table", "H=3..2147483648:1000000000,W=3")
    assert result.exit_code == 0
    assert result.output.split("\n")[0].split() == [
        "H=3", "W=3", "H=1000000003", "W=3", "H=2000000003", "W=3"
    ]  # fmt: skip


@pytest.mark.parametrize("number", ["٣", "1_0", "+5", " 5", "5 ", "1e3", "", "9" * 13, "--1"])
@pytest.mark.parametrize(
    "command",
    [
        ["sizes", "--training"],
        ["summary", "--depth"],
        ["check", "--max-layers"],
        ["export", "-o", "x.onnx", "--seed"],
        ["export", "-o", "x.onnx", "--batch"],
        ["export", "-o", "x.onnx", "--opset"],
        ["draw", "-o", "x.svg", "--depth"],
    ],
)
def test_other_numbers(run: Callable[..., Result], command: list[str], number: str) -> None:
    result = run(*command, number)
    assert result.exit_code == 2
    assert "is not a whole number in plain digits" in result.output


@pytest.mark.parametrize(
    ("size", "code", "said"),
    [
        ("H=28,W=28", 0, "yes: image [1, 28, 28]"),
        ("H=28", 0, "yes: image [1, 28, 28]"),
        ("C=1,H=28,W=28", 0, "yes"),
        ("H=28,W=29", 1, "the size of image is fixed: W is 28, not 29"),
        ("Q=28", 2, "it takes image [1, 28, 28], whose axes are asked for as C, H, W"),
        ("H=0", 2, "2**31"),
    ],
)
def test_a_fixed_network_answers(
    run: Callable[..., Result], size: str, code: int, said: str
) -> None:
    result = run("sizes", "--accepts", size, text=FIXED)
    assert result.exit_code == code
    assert said in result.output
    result = run("sizes", "--accepts", size, "--format", "json", text=FIXED)
    assert result.exit_code == code


def test_a_fixed_network_says_what_it_takes(run: Callable[..., Result]) -> None:
    for option in (["--size", "H=28"], ["--table", "H=1..4"]):
        result = run("sizes", *option, text=FIXED)
        assert result.exit_code != 0
        assert "image [1, 28, 28]" in result.output


def test_inputs_that_differ_must_all_fit(run: Callable[..., Result]) -> None:
    text = "net A { input a: [1, 4, 4]\n input b: [1, 8, 4]\n output y = (a, b) -> concat(axis=1) }"
    result = run("sizes", "--accepts", "H=4,W=4", text=text)
    assert result.exit_code == 1
    assert "the size of b is fixed: H is 8, not 4" in result.output
