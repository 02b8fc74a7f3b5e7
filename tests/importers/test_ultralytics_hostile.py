"""Model files of ultralytics that are wrong: an error at its place in the file, and never a crash."""

from __future__ import annotations

from pathlib import Path
from random import Random
from time import process_time

import pytest

import netdsl
from netdsl import DiagnosticError
from netdsl.importers import ultralytics
from netdsl.importers.frontend import Question
from tests.importers.mutations import changed_text
from tests.sampling import some

SMALL = """nc: 3
kpt_shape: [5, 3]
scales:
  n: [0.33, 0.25, 1024]
  s: [0.33, 0.50, 1024]
backbone:
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 3, C2f, [128, True]]
  - [-1, 1, Conv, [256, 3, 2]]
  - [-1, 2, C3k2, [256, False, 0.25]]
  - [-1, 1, SPPF, [256, 5]]
  - [-1, 2, C2PSA, [256]]
head:
  - [-1, 1, nn.Upsample, [None, 2, "nearest"]]
  - [[-1, 1], 1, Concat, [1]]
  - [-1, 1, Conv, [128, 3, 2]]
  - [[7, 8], 1, Pose, [nc, kpt_shape]]
"""


def refusal(folder: Path, text: str, **settings: str) -> str:
    """The only error of a file, with its place."""
    path = folder / "net.yaml"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(DiagnosticError) as caught:
        netdsl.load(path, params=settings)
    return str(caught.value.diagnostics[0]).removeprefix(str(path))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[-1, 3, C2f, [128, True]]", "[-1, 3, C9f, [128]]", ":8:5: error[not-importable]: the module C9f is not known"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 3, C2f]", ":8:5: error[not-importable]: a layer is `[from, repeats, module"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 3, C2f, [128, True, 1, 0.5, 7]]", "C2f takes at most 4 arguments, not 5"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 3, C2f, [128, 7]]", "C2f takes True or False for `shortcut`, not `7`"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 3, C2f, [0]]", "channels is from 1 to 1,000,000, not 0"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 0, C2f, [128]]", ":8:10: error[not-importable]: a layer is repeated 1 to"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 1e9, C2f, [128]]", "a layer is repeated 1 to 1,000 times"),
        ("[-1, 3, C2f, [128, True]]", "[4, 3, C2f, [128]]", ":8:6: error[not-importable]: layer 1 takes the result of layer 4"),
        ("[-1, 3, C2f, [128, True]]", "[[-1, 0], 3, C2f, [128]]", "C2f takes the result of one layer, not a list"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 1, Conv, [128, 3, 2, -1]]", ":8:5: error[bad-argument]"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 3, C2f, *a]", ":8:18: error[not-importable]: the file repeats"),
        ("[-1, 3, C2f, [128, True]]", "&a [-1, 3, C2f, [128]]\n  - *a", "the file repeats a part of itself by `*`"),
        ("[-1, 3, C2f, [128, True]]", "!!python/object:os.system [x]", "is not read here, only plain values"),
        ("[-1, 3, C2f, [128, True]]", "[-1, 3, !!python/name:os.system C2f, [128]]", "is not read here, only plain values"),
        ("C2PSA, [256]", "C2PSA, [128]", ":12:5: error[not-importable]: C2PSA gives as many channels as come in"),
        ("[[-1, 1], 1, Concat, [1]]", "[[-1, 2], 1, Concat, [1]]", ":15:5: error[shape-mismatch]"),
        ("[[-1, 1], 1, Concat, [1]]", "[[-1, 1], 1, Concat, [2]]", "Concat joins channels, `[1]`, once"),
        ("[[-1, 1], 1, Concat, [1]]", "[[-1, 1], 1, Concat, 1]", ":15:26: error[not-importable]: arguments are a list, not `1`"),
        ('[None, 2, "nearest"]', '[None, 2, "lanczos"]', "nn.Upsample is read with nearest and bilinear, not `lanczos`"),
        ('[None, 2, "nearest"]', '[64, 2, "nearest"]', "nn.Upsample takes None for `size`, not `64`"),
        ("Pose, [nc, kpt_shape]", "Pose, [nc, 7]", ":17:5: error[not-importable]: Pose takes `[nc, kpt_shape]`"),
        ("kpt_shape: [5, 3]", "kpt_shape: [5, 4]", ":2:12: error[not-importable]: `kpt_shape` is `[points, 2 or 3]`"),
        ("Pose, [nc, kpt_shape]", "RTDETRDecoder, [nc]", "the head RTDETRDecoder is not read: it goes on with the 300"),
        ("nc: 3", "nc: many", ":1:5: error[not-importable]: `nc` is a whole number from 1 to 100,000, not `many`"),
        ("nc: 3", "nc: 3\nanchors: 3", ":2:10: error[not-importable]: `anchors` is not known at the top"),
        ("nc: 3", "nc: 3\nnc: 4", ":2:1: error[not-importable]: `nc` is there twice"),
        ("nc: 3", "nc: 3\nactivation: nn.Made()", "the activation `nn.Made()` is not known"),
        ("nc: 3", "nc: 99999999999999999999", "error[number-range]"),
        ("nc: 3", "nc: 3\nend2end: True", "Pose with `end2end` is not read"),
        ("n: [0.33, 0.25, 1024]", "n: [0.33, -1, 1024]", ":4:6: error[not-importable]: the numbers of a scale are above 0"),
        ("n: [0.33, 0.25, 1024]", "n: [0.33, 1024]", "a scale is `[depth, width, most channels]`"),
        ("backbone:", "trunk:", "`trunk` is not known at the top"),
    ],
)  # fmt: skip
def test_a_row_that_is_wrong(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert SMALL.count(old) == 1
    assert told in refusal(tmp_path, SMALL.replace(old, new))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file is empty"),
        ("- 3\n", "a model is a mapping with `backbone` and `head`"),
        ("nc: 3\n", "the model has no `backbone`"),
        ("backbone: 3\nhead: []\n", "the layers are a list"),
        ("backbone: []\nhead: []\n", "the model has no layers"),
        ("[" * 5000, "error[too-deep]"),
        ("a: " * 5000, "this is no YAML"),
        ("nc: 3\n" + "#" * 200_000, "error[too-large]"),
        ("nc: \x00\n", "this is no YAML"),
        ("? [a, b]\n: 3\n", "a key is a word"),
        ("backbone:\n" + "  - [-1, 1, Conv, [8]]\n" * 1001 + "head: []\n", "error[too-many-layers]"),
    ],
)  # fmt: skip
def test_text_that_is_no_model(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(tmp_path, text)


def test_settings_are_checked(tmp_path: Path) -> None:
    assert "has no setting `classes`" in refusal(tmp_path, SMALL, classes="3")
    assert "the file has no scale `q`" in refusal(tmp_path, SMALL, scale="q")
    assert "`nc` is a whole number" in refusal(tmp_path, SMALL, nc="-3")
    assert "`head` is true or false" in refusal(tmp_path, SMALL, head="maybe")
    path = tmp_path / "net.yaml"
    with pytest.raises(DiagnosticError, match="with 3 channels, height and width"):
        ultralytics.read(Question(str(path), inputs={"": (4, 64, 64)}))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(b"\x80\xff")
    with pytest.raises(DiagnosticError, match="is not UTF-8 text"):
        netdsl.load(path)


def test_a_network_without_end_is_refused(tmp_path: Path) -> None:
    rows = "".join("  - [-1, 1000, Conv, [8, 3]]\n" for _ in range(999))
    start = process_time()
    told = refusal(tmp_path, f"channels: 8\nbackbone:\n{rows}head: []\n")
    assert "error[too-many-layers]" in told
    assert process_time() - start < 30


def test_mutations(tmp_path: Path) -> None:
    """Each is read or refused with a place; every fourth is checked wholly."""
    random = Random("ultralytics")
    path = tmp_path / "net.yaml"
    netdsl.load(write(path, SMALL))
    for number in some(range(1500), 5):
        write(path, changed_text(SMALL, random))
        try:
            if number % 40 == 0:
                netdsl.load(path)
            else:
                ultralytics.read(Question(str(path)))
        except DiagnosticError as error:
            assert all(one.span is not None for one in error.diagnostics if one.code != "not-text")


def write(path: Path, text: str) -> Path:
    path.write_text(text, errors="replace")
    return path
