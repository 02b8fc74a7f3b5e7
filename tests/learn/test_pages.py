"""docs/learn: every command runs, prints what stands below it, and draws the picture shown.

What is typed at a Python prompt runs too.
"""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.cli import main
from tests.see.digits import held_out, script
from tests.see.test_docs import words as masked

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "learn").glob("*.md"))
pytestmark = pytest.mark.xdist_group("see")
BLOCK = re.compile(r"^```(console|net|pycon)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OF_PACKAGES = {"lite0-filters.png"}
"""Made with weights of a package that is not of the project; docs/tutorial-weights.md names it."""
LINK = re.compile(r"!\[[^\]]+\]\(pictures/([\w.-]+)\)")


def run(block: re.Match[str], folder: Path) -> str:
    """A block as it should stand on the page: a file is written, commands print below themselves."""
    kind, name, text = block.groups()
    if kind == "pycon":
        talk = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
        assert len(talk.examples) > 2
        failed = doctest.DocTestRunner(verbose=False).run(talk).failed
        assert failed == 0, text
        return block[0]
    if kind == "net":
        assert name, "a network on a page has the name of its file behind `net`"
        (folder / name).write_text(text, encoding="utf-8")
        return block[0]
    shown: list[str] = []
    for command in re.findall(r"^\$ (.*)\n", text, flags=re.MULTILINE):
        words = shlex.split(command)
        assert words[0] == "netdsl", command
        result = CliRunner().invoke(main, words[1:])
        assert result.exit_code == ("--accepts" in words), (command, result.output)
        printed = result.stdout
        if words[1] == "see":  # numbers of trained weights may differ from machine to machine
            before = text.partition(f"$ {command}\n")[2].partition("\n$ ")[0]
            lines = before.splitlines(keepends=True)[: printed.count("\n")]
            if masked("".join(lines)) == masked(printed):
                printed = "".join(lines)
        shown.append(f"$ {command}\n{printed}")
    return f"```console\n{''.join(shown)}```"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained digits, and a picture of one of them, as the script of the examples makes them."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    Image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("digits")
    network, state, _ = script("train_digits").train(0, 15)
    network.save_weights(folder / "digits.safetensors", state)
    first = held_out()[0][0, 0].mul(255).round().byte()
    Image.fromarray(first.numpy()).save(folder / "digit.png")
    return folder


@pytest.fixture
def folder(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples, as a clone has them."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for file in weights.iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_what_its_commands_print(
    page: Path, folder: Path, request: pytest.FixtureRequest
) -> None:
    text = page.read_text(encoding="utf-8")
    current = BLOCK.sub(lambda block: run(block, folder), text)
    assert len(re.findall(r"^\$ netdsl ", current, re.MULTILINE)) >= 4
    is_blessed = request.config.getoption("--bless")
    if is_blessed:
        page.write_text(current, encoding="utf-8")
        text = current
    assert current == text
    for picture in LINK.findall(text):
        made, kept = folder / picture, page.parent / "pictures" / picture
        if picture in OF_PACKAGES:
            continue
        if is_blessed:
            kept.write_bytes(made.read_bytes())
        is_same = made.read_bytes() == kept.read_bytes()
        assert is_same or (picture.endswith(".png") and alike(made, kept)), picture


def alike(made: Path, kept: Path) -> bool:
    """Whether two pictures of trained weights, which may differ from machine to machine, are as large."""
    Image = pytest.importorskip("PIL.Image")
    return Image.open(made).size == Image.open(kept).size


def test_every_picture_is_on_a_page() -> None:
    pages = [*PAGES, ROOT / "docs" / "see.md"]
    shown = {
        name
        for page in pages
        for name in re.findall(r"\]\([\w/]*pictures/([\w.-]+)\)", page.read_text(encoding="utf-8"))
    }
    kept = {path.name for path in (ROOT / "docs" / "learn" / "pictures").iterdir()}
    assert shown == kept


def test_each_page_ends_with_what_is_often_misread() -> None:
    assert len(PAGES) == 7
    for page in PAGES[:-1]:
        heads = re.findall(r"^## (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert heads[-1] == "Often misread", page.name
