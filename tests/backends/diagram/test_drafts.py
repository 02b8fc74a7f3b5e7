"""Networks with errors: drawn as far as they could be built, with the errors at their places."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.backends.diagram.options import DrawError
from netdsl.backends.torch.source import torch_source
from netdsl.cli import main
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.diagnostics.pages import codes, page
from netdsl.drafting import Draft
from netdsl.ops.base import op_of
from tests.sampling import FULL, some

ROOT = Path(__file__).resolve().parents[3]
SVG = "{http://www.w3.org/2000/svg}"
NOTHING_BUILT = {
    "bad-character", "bad-label", "bad-number", "empty-body", "missing-arrow", "missing-bracket",
    "missing-comma", "missing-type", "reserved-word", "source-inside", "syntax-error",
    "unexpected-bracket",  # no tree
    "no-input", "no-net", "several-nets", "no-such-net", "unknown-type", "unknown-parameter",
    "too-deep", "too-much-work", "too-many-layers",  # no body, or none to the end
}  # fmt: skip
NOWHERE = {"misplaced", "no-output", "use-not-found"}
"""Codes of what is at no stage and at no input: they are listed above the drawing."""
BROKEN = """\
block Step(channels: int) {
  add { conv(channels, 3) ; identity } -> relu
}
net Broken {
  input image: [3, 32, 32]
  input other: [16, 4]
  x = image -> conv1: conv(16, 3, padding=1)
  y = x -> first: Step(16) -> second: Step(16) -> flatten
  z = x -> convv(8, 3) -> relu -> flatten
  output scores = (y, z, other) -> concat -> linear(10)
}
"""


def errors_of(draft: Draft) -> list[Diagnostic]:
    return [d for d in draft.diagnostics if d.is_error]


def told(svg: bytes) -> tuple[Counter[tuple[str, str]], str, int]:
    """Codes and lines at boxes; all that is written; the errors that are counted."""
    root = ET.fromstring(svg)
    placed: Counter[tuple[str, str]] = Counter()
    for group in root.iter(f"{SVG}g"):
        found = group.get("data-error", "").split(), group.get("data-line", "").split()
        placed.update(zip(*found, strict=False))
    verdict = next(g for g in root.iter(f"{SVG}g") if g.get("id") == "verdict")
    assert verdict.get("data-checked") == "no"
    text = "\n".join(t.text or "" for t in root.iter(f"{SVG}text"))
    assert f"not checked: {verdict.get('data-errors')} error" in text
    return placed, text, int(verdict.get("data-errors", ""))


def check(draft: Draft, svg: bytes) -> None:
    """All errors are counted, and listed or stand at a box with their line."""
    errors = errors_of(draft)
    placed, text, count = told(svg)
    assert count == len(errors) > 0
    for error in errors[:6]:
        assert error.span is None or f"line {error.span.line}: {error.code}" in text
    for error in errors:
        if error.span is not None and error.code not in NOWHERE:
            assert (error.code, str(error.span.line)) in placed or len(errors) > 1, error
    known = {(d.code, str(d.span.line)) for d in errors if d.span is not None}
    assert set(placed) <= known


@pytest.mark.parametrize("code", codes())
def test_every_error_is_drawn_at_its_place(code: str, tmp_path: Path) -> None:
    example = page(code).wrong
    if page(code).is_warning or example.is_shell or example.options:
        return
    if code == "too-much-work" and not FULL:
        return  # it takes as long as may be
    path, out = tmp_path / "a.net", tmp_path / "a.svg"
    path.write_text(example.text, encoding="utf-8")
    checked = CliRunner().invoke(main, ["check", str(path)])
    drawn = CliRunner().invoke(main, ["draw", str(path), "-o", str(out)])
    assert drawn.exit_code == checked.exit_code == 1, drawn.output
    assert drawn.output.startswith(checked.output.rstrip("\n"))
    assert out.exists() == (code not in NOTHING_BUILT), drawn.output
    if out.exists():
        check(netdsl.draft(path), out.read_bytes())
    else:
        assert "not drawn: nothing could be built" in drawn.output


# ---- what the drawing shows ----


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.net"
    path.write_text(BROKEN, encoding="utf-8")
    return path


def boxes(svg: bytes) -> dict[str, ET.Element]:
    groups = ET.fromstring(svg).iter(f"{SVG}g")
    return {g.get("data-path", ""): g for g in groups if g.get("class") == "unit"}


def test_what_came_in_is_there_and_what_follows_is_not_known(broken: Path) -> None:
    svg = netdsl.draft(broken).drawing()[0]
    drawn = boxes(svg)
    wrong = {p: g.get("data-error") for p, g in drawn.items() if g.get("data-error")}
    assert list(wrong.values()) == ["shape-mismatch", "unknown-layer"]
    (add, _) = wrong
    assert add.startswith("first.")  # inside of its block, which is open
    text = " ".join(t.text or "" for t in drawn[add].iter(f"{SVG}text"))
    assert "line 2: shape-mismatch" in text
    assert "comes in: 16×30×30 and 16×32×32" in text
    assert drawn[add].get("data-in") == "[16, 30, 30]; [16, 32, 32]"
    unknown = [g for g in drawn.values() if g.get("data-known") == "no"]
    titles = [next(g.iter(f"{SVG}text")).text for g in unknown]
    assert sorted(filter(None, titles)) == [
        "concat", "flatten", "flatten", "linear(10)", "relu", "relu", "second: Step(16)"
    ]  # fmt: skip
    assert all(g.get("data-out") == "not known" for g in unknown)
    assert drawn["conv1"].get("data-out") == "[16, 32, 32]"  # what was built is as it is
    ends = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "end"]
    assert [g.get("data-name") for g in ends] == ["image", "other", "scores"]


def test_nothing_of_it_can_be_run(broken: Path) -> None:
    with pytest.raises(DiagnosticError):
        netdsl.load(broken)
    draft = netdsl.draft(broken)
    assert not isinstance(draft, netdsl.Network)
    assert not draft.is_right
    graph = draft._graph
    assert graph is not None
    assert sum(not op_of(node).is_built for node in graph.nodes()) == 9
    with pytest.raises(NotImplementedError):
        torch_source(graph)
    for command in (["compile"], ["export"], ["summary"]):
        out = ["-o", str(broken.with_suffix(".out"))] * (command != ["summary"])
        assert CliRunner().invoke(main, [*command, str(broken), *out]).exit_code == 1
    assert not broken.with_suffix(".out").exists()


def test_all_forms_and_levels(broken: Path, tmp_path: Path) -> None:
    for form in ("svg", "png", "dot", "html"):
        out = tmp_path / f"a.{form}"
        result = CliRunner().invoke(main, ["draw", str(broken), "-o", str(out)])
        assert result.exit_code == 1
        assert "what could be built, not checked: 2 errors" in result.output
        assert form == "png" or "not checked: 2 errors" in out.read_text()
    draft = netdsl.draft(broken)
    assert len(boxes(draft.drawing(level="layers")[0])) == 12
    volumes = draft.drawing(level="volumes")[0].decode()
    assert "not checked: 2 errors" in volumes
    assert "conv1" in volumes
    for level in ("neurons", "field"):
        with pytest.raises(DrawError, match="draw `--level blocks`, or correct the file"):
            draft.drawing(level=level)


WHOLE = """\
block Unit(width: int) { conv(width, 3) -> batchnorm -> relu }
block Wrong(width: int) { add { Unit(width) ; conv(width, 1) } -> relu }
net N { input x: [3, 32, 32]
 output y = x -> un1: Unit(8) -> s: { Wrong(8) -> Wrong(16) } -> global_avgpool }
"""


@pytest.mark.parametrize("only", [None, "s", "s.0", "un1"])
def test_volumes_of_what_could_be_built_where_a_whole_block_is_one_map(
    only: str | None, tmp_path: Path
) -> None:
    """Blocks that are one step are found in the draft, behind an error and in a part alone."""
    path = tmp_path / "whole.net"
    path.write_text(WHOLE, encoding="utf-8")
    draft = netdsl.draft(path)
    assert [d.code for d in errors_of(draft)] == ["shape-mismatch"]
    svg = draft.drawing(level="volumes", only=only)[0].decode()
    assert "not checked: 1 error" in svg
    assert "8 × 30 × 30" in svg


def test_from_standard_input_and_at_one_size(tmp_path: Path) -> None:
    out = str(tmp_path / "a.svg")
    result = CliRunner().invoke(main, ["draw", "-", "-o", out], input=BROKEN)
    assert result.exit_code == 1
    assert told(Path(out).read_bytes())[2] == 2
    open_sizes = "net A { input x: [3, H, W]\noutput y = x -> conv(8, 9) -> maxpool(2) }"
    path = tmp_path / "a.net"
    path.write_text(open_sizes, encoding="utf-8")
    small = CliRunner().invoke(main, ["draw", str(path), "-o", out, "--size", "H=4,W=4"])
    assert small.exit_code == 1
    assert told(Path(out).read_bytes())[0]
    assert CliRunner().invoke(main, ["draw", str(path), "-o", out]).exit_code == 0
    assert "verdict" not in Path(out).read_text()


def test_a_draft_of_what_is_right_is_its_drawing() -> None:
    path = ROOT / "examples/lenet.net"
    draft = netdsl.draft(path)
    assert draft.is_right
    assert draft.drawing() == netdsl.load(path).drawing()


# ---- files that are wrong by chance ----


def mutated(text: str, random: Random) -> str:
    """The text with a number, a name or a line changed, so that most still parse."""
    kind = random.choice(["number", "name", "misspelt", "line"])
    if kind == "line":
        lines = text.split("\n")
        del lines[random.randrange(len(lines))]
        return "\n".join(lines)
    pattern = r"\b\d+\b" if kind == "number" else r"\b[A-Za-z_]\w*\b"
    words = list(re.finditer(pattern, text))
    word = random.choice(words)
    new = {"number": random.choice("0135"), "name": random.choice(words)[0]}.get(
        kind, word[0] + "x"
    )
    return text[: word.start()] + new + text[word.end() :]


@pytest.mark.parametrize("part", range(4))
def test_files_that_are_wrong_by_chance(part: int, tmp_path: Path) -> None:
    random, path = Random(part), tmp_path / "a.net"
    names = ["lenet", "resnet18", "unet", "vit_b_16", "googlenet", "siamese", "vae", "fpn", "bert"]
    drawn = 0
    for _ in some(range(48), 6):
        text = (ROOT / f"examples/{random.choice(names)}.net").read_text(encoding="utf-8")
        for _ in range(random.choice([1, 1, 2])):
            text = mutated(text, random)
        path.write_text(text, encoding="utf-8")
        draft = netdsl.draft(path)
        if draft.is_right or draft.is_empty:
            continue
        check(draft, draft.drawing()[0])
        drawn += 1
    assert drawn
