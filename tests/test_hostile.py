"""Hostile and broken files: a located message and exit code 1 or 2, in seconds, never a traceback."""

from __future__ import annotations

import os
import random
import re
import socket
import stat
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.cli import main
from netdsl.files import ASIDE
from tests.sampling import FULL

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 20


def run(path: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and all output of `netdsl compile FILE -o OUT`; no output file may be left."""
    out = path.with_suffix(".py")
    start = time.process_time()  # whatever else the machine does
    result = CliRunner().invoke(main, ["compile", str(path), "-o", str(out), *arguments])
    assert time.process_time() - start < SECONDS
    unexpected = result.exception is not None and not isinstance(result.exception, SystemExit)
    assert not unexpected, repr(result.exception)
    assert "Traceback" not in result.output
    assert "internal error" not in result.output
    if result.exit_code:
        assert not out.exists()
        assert [p for p in path.parent.iterdir() if p.name.startswith(ASIDE)] == []
    return result.exit_code, result.output


def net(body: str, before: str = "") -> str:
    return f"{before}\nnet A {{\n input x: [3, 8, 8]\n{body}\n}}\n"


DOUBLING = "\n".join(
    [" let a0 = [1, 2, 3, 4]", *(f" let a{i} = a{i - 1} + a{i - 1}" for i in range(1, 40))]
)
NESTING = "\n".join(
    [" let a0 = [1, 2, 3, 4]", *(f" let a{i} = [a{i - 1}, a{i - 1}]" for i in range(1, 40))]
)
BOMBS = {
    "parentheses": net(" let n = " + "(" * 20_000 + "1" + ")" * 20_000),
    "braces": net(" output y = x -> " + "{" * 20_000 + "relu" + "}" * 20_000),
    "open": "net A { " + "(" * 20_000,
    "additions": net(" let n = " + "+".join(["1"] * 20_000)),
    "minuses": net(" let n = " + "-" * 20_000 + "1"),
    "nots": net(" let n = " + "not " * 20_000 + "true"),
    "powers": net(" let n = " + "**".join(["2"] * 5_000)),
    "else ladder": net(" output y = x -> " + " else ".join(["if false { relu }"] * 5_000)),
    "attributes": net(" let n = x" + ".a" * 20_000),
    "indices": net(" let n = x" + "[0]" * 20_000),
    "repeat": net(" output y = x -> repeat 1000000000 { relu }"),
    "nested repeat": net(" output y = x -> " + "repeat 1000 { " * 5 + "conv(3, 1)" + " }" * 5),
    "computed repeat": net(" output y = x -> repeat 10 ** 12 { conv(3, 1) }"),
    "empty turns": net(" output y = x -> for i in 0..90000 { for j in 0..90000 { if false { relu } } }"),
    "number": net(" let n = 10 ** 10 ** 10\n output y = x"),
    "digits": net(f" let n = {'9' * 100_000}\n output y = x"),
    "float": net(" let n = 1e400\n output y = x"),
    "range": net(" let n = 0..10 ** 12\n output y = x"),
    "list": net(DOUBLING + "\n output y = x"),
    "nested list": net(NESTING + "\n output y = x"),
    "times": net(" let n = [1] * 10 ** 15\n output y = x"),
    "string": net(' let a = "aaaaaaaaaa"\n' + "\n".join(f" let b{i} = {'a' if i == 0 else f'b{i - 1}'} + {'a' if i == 0 else f'b{i - 1}'}" for i in range(40)) + "\n output y = x"),
    "recursive block": net(" output y = x -> B", "block B { B }"),
    "growing block": net(" output y = x -> B(1)", "block B(n: int) { B(n + 1) -> B(n + 1) }"),
    "recursive fn": net(" let n = f(1)\n output y = x", "fn f(n: int) = f(n + 1)"),
    "double recursion": net(" let n = f(90)\n output y = x", "fn f(n: int) = 1 if n < 1 else f(n - 1) + f(n - 1)"),
    "huge conv": net(" output y = x -> conv(10 ** 15, 3)"),
    "huge pad": net(" output y = x -> pad(10 ** 17) -> pad(10 ** 17)"),
    "passwd": net(" output y = x", 'use "/etc/passwd"'),
    "outside": net(" output y = x", 'use "../../../x.net"'),
    "itself": net(" output y = x -> nothing", 'use "./itself.net" as me'),
    "nul": "net A {\0 }",
    "escape": "net A { \x1b[31m }",
    "bidi": net(" output \u202ey = x"),
    "surrogate name": net(" output y = x -> \U0001f600"),
}  # fmt: skip

TURNS = "repeat 1000000007 "
DOUBLED = "block B0 { relu }\n" + "\n".join(
    f"block B{i} {{ B{i - 1} -> B{i - 1} }}" for i in range(1, 200)
)
FORKED = "block B0 { relu }\n" + "\n".join(
    f"block B{i} {{ add {{ B{i - 1} ; B{i - 1} }} }}" for i in range(1, 200)
)
TOO_MANY = {
    "layers": net(f" output y = x -> {TURNS}{{ conv(3, 1) }}"),
    "bare names": net(f" output y = x -> {TURNS}{{ relu }}"),
    "blocks": net(f" output y = x -> {TURNS}{{ B }}", "block B { relu }"),
    "a block in a block": net(" output y = x -> B", f"block B {{ {TURNS}{{ C(3) }} }}\nblock C(n: int) {{ conv(n, 1) }}"),
    "a count given": net(" output y = x -> B(10 ** 9)", "block B(n: int) { repeat n { relu } }"),
    "counts given": net(" output y = x -> B(1000)", "block B(n: int) { repeat n { repeat n { relu } } }"),
    "a layer given": net(" output y = x -> B(relu)", f"block B(act: layer) {{ {TURNS}{{ act }} }}"),
    "a shared layer": net(f" layer e = conv(3, 1)\n output y = x -> {TURNS}{{ e }}"),
    "forks": net(f" output y = x -> {TURNS}{{ add {{ relu ; tanh }} }}"),
    "either arm": net(f" output y = x -> {TURNS}{{ if x.height > 2 {{ relu }} else {{ tanh }} }}"),
    "nested": net(" output y = x -> repeat 1000 { repeat 1000 { repeat 1000 { relu } } }"),
    "lists": net(" output y = x -> for i in 0..90000 { for j in 0..90000 { relu } }"),
    "sources": net(" output y = (for i in 0..90000 { x -> relu -> relu -> relu }) -> add"),
    "branches": net(" output y = x -> add { for i in 0..90000 { relu -> relu -> relu } }"),
    "doubled": net(" output y = x -> B199", DOUBLED),
    "forked": net(" output y = x -> B199", FORKED),
    "doubled in turns": net(f" output y = x -> {TURNS}{{ B9 }}", DOUBLED),
}  # fmt: skip
"""Refused by a count made beforehand."""


@pytest.mark.parametrize("name", TOO_MANY)
def test_too_many_layers_are_refused_before_they_are_built(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.net"
    path.write_text(TOO_MANY[name], encoding="utf-8")
    start = time.process_time()
    code, output = run(path)
    assert time.process_time() - start < 1.5
    assert code == 1
    assert "error[too-many-layers]" in output


def test_turns_without_layers_are_refused_before_they_run(tmp_path: Path) -> None:
    path = tmp_path / "bomb.net"
    path.write_text(net(f" output y = x -> {TURNS}{{ [3, 8, 8] }}"), encoding="utf-8")
    start = time.process_time()
    code, output = run(path)
    assert time.process_time() - start < 1.5
    assert code == 1
    assert "error[too-much-work]" in output


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.net"
    path.write_text(BOMBS[name], encoding="utf-8")
    code, output = run(path)
    assert code in (1, 2)
    assert "error[" in output
    assert "\x1b" not in output


def test_binary_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "binary.net"
    path.write_bytes(bytes(range(256)) * 10)
    assert run(path)[0] == 1
    assert run(tmp_path / "missing.net")[0] == 1
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run(folder)[0] == 1


SIGNS = "{}()[]->,;:=\"'#.0123456789xX \n\tabcin-+*/%<>!é"


def mutated(texts: list[str], generator: random.Random) -> bytes:
    """A real file with words exchanged, or characters changed, cut and doubled; or noise."""
    kind = generator.random()
    if kind < 0.1:
        return generator.randbytes(generator.randint(0, 400))
    if kind < 0.6:
        return _with_other_words(generator.choice(texts), generator).encode()
    text = list(generator.choice(texts))
    for _ in range(generator.randint(1, 6)):
        at = generator.randrange(len(text))
        choice = generator.random()
        if choice < 0.4:
            text[at] = generator.choice(SIGNS)
        elif choice < 0.7:
            del text[at : at + generator.randint(1, 30)]
        else:
            text[at:at] = text[at : at + generator.randint(1, 40)]
    return "".join(text).encode()


NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "64",
    "1000000007",
    "0.5",
    "1e-5",
    "2x3",
    "H",
    "in.channels",
]


def _with_other_words(text: str, generator: random.Random) -> str:
    """A file that most often can be parsed still: names and numbers take each other's places."""
    parts = re.split(r"(\w+)", text)
    words = range(1, len(parts), 2)
    for _ in range(generator.randint(1, 3)):
        at = generator.choice(words)
        if parts[at][:1].isdigit():
            parts[at] = generator.choice(NUMBERS)
        elif generator.random() < 0.2:
            parts[at] = ""
        else:
            parts[at] = parts[generator.choice(words)]
    return "".join(parts)


def check_mutated(data: bytes, path: Path) -> str:
    """The file compiles, or gives an error with its code and place; returns which."""
    path.write_bytes(data)
    code, output = run(path, "--max-layers", "20000")  # a `repeat` may have got a huge number
    assert code in (0, 1), (code, output)
    assert code == 0 or "error[" in output
    path.with_suffix(".py").unlink(missing_ok=True)
    return "compiled" if code == 0 else "refused"


def test_random_bytes_and_mutations(tmp_path: Path) -> None:
    generator = random.Random(7)
    texts = [p.read_text() for p in sorted((ROOT / "examples").glob("*.net"))]
    for number in range(250 if FULL else 125):
        check_mutated(mutated(texts, generator), tmp_path / f"m{number}.net")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    example = ROOT / "examples" / "lenet.net"
    for target in (tmp_path / "no" / "out.py", tmp_path, Path("/dev/full")):
        result = CliRunner().invoke(main, ["compile", str(example), "-o", str(target)])
        assert result.exit_code == 2, result.output
        assert "can't write" in result.output
    assert list(tmp_path.iterdir()) == []


# --- odd files as targets --------------------------------------------------------------------

SOURCE = "net A {\n input x: [3, H, W]\n output y = x -> conv(2, 3)\n}\n"
WRITERS = {
    "out.py": ["compile"],
    "out.onnx": ["export"],
    "out.onnx.data": ["export", "--external"],
    "out.svg": ["draw"],
    "out.dot": ["draw"],
}


def odd_target(folder: Path, path: Path, random: random.Random) -> str:
    """Something where a file is to be written; returns what."""
    kind = random.choice(["nothing", "file", "folder", "link to a file", "link to nothing", "loop",
                          "link to a folder", "the source", "link to the source", "hard link",
                          "protected", "socket", "below a file", "full folder"])  # fmt: skip
    other = folder / f"other{path.suffix}"
    match kind:
        case "file" | "protected":
            path.write_text("old")
            path.chmod(0o400 if kind == "protected" else 0o640)
        case "folder" | "full folder":
            path.mkdir()
            if kind == "full folder":
                (path / "inside").write_text("old")
        case "link to a file":
            other.write_text("old")
            path.symlink_to(other)
        case "link to nothing":
            path.symlink_to(other.name)
        case "loop":
            path.symlink_to(path.name)
        case "link to a folder":
            other.mkdir()
            path.symlink_to(other)
        case "link to the source":
            path.symlink_to("a.net")
        case "hard link":
            os.link(folder / "a.net", path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(path))
    return kind


def check_target(seed: int, folder: Path) -> str:
    """Written whole where that is right, else refused, and then all is as it was."""
    generator = random.Random(f"target {seed}")
    (folder / "a.net").write_text(SOURCE)
    name = generator.choice(list(WRITERS))
    out = folder / name.removesuffix(".data")
    kind = odd_target(folder, folder / name, generator)
    out = folder / "a.net" / name if kind == "below a file" else out
    out = folder / "a.net" if kind == "the source" else out
    before = contents(folder)
    command, *more = WRITERS[name]
    words = [command, str(folder / "a.net"), "-o", str(out), *more]
    result = CliRunner().invoke(main, words)
    assert "internal error" not in result.output, (kind, words)
    assert result.exit_code in (0, 2), (kind, result.output)
    after = contents(folder)
    assert after["a.net"] == before["a.net"], kind
    if result.exit_code:
        assert after == before, (kind, words)
        assert kind not in ("nothing", "file", "protected") or os.geteuid(), result.output
        return f"{kind}: refused"
    assert kind in ("nothing", "file", "link to a file", "link to nothing", "protected"), kind
    fresh = {"out.onnx", "out.onnx.data"} if more else {out.name}
    assert after.keys() - before.keys() <= fresh | {f"other{Path(name).suffix}"}, kind
    assert {n for n, what in after.items() if isinstance(what, str)} == {
        n for n, what in before.items() if isinstance(what, str)
    }, kind
    return f"{kind}: written"


def contents(folder: Path) -> dict[str, object]:
    """Bytes of files; what links lead to, as text; kinds of all else."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else stat.S_IFMT(path.lstat().st_mode)
        for path in sorted(folder.rglob("*"))
    }


def test_odd_targets() -> None:
    pytest.importorskip("numpy")
    came: set[str] = set()
    for seed in range(120):
        with tempfile.TemporaryDirectory(prefix="odd") as folder:  # names of sockets are short
            came.add(check_target(seed, Path(folder)))
    assert len(came) >= 14, came
