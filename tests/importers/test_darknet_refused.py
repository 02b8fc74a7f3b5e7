"""What is wrong with a cfg file, or has no word: an error at its place, and never anything else."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from netdsl import DiagnosticError
from netdsl.importers.frontend import Question
from netdsl.importers.imported import read
from tests.importers.mutated import PARTS, check_part
from tests.importers.test_darknet import layer, read_text, text, write

CONV = layer("convolutional", filters=4, size=3, pad=1, activation="leaky")
SHORT = layer("shortcut", **{"from": -2, "activation": "linear"})

REFUSED = {
    "empty": ("", "there is no section", 1),
    "comments": ("# nothing\n", "there is no section", 1),
    "first": ("[conv]\n", "the first section is `[net]`", 1),
    "before": ("width=3\n[net]\n", "stands before the first section", 1),
    "no size": ("[net]\nwidth=3\n[conv]\n", "`[net]` says no size", 1),
    "no layers": (text(), "there are no layers", 1),
    "no option": (text("[conv]\nfilters\n"), "neither `[section]` nor `key=value`", 6),
    "no value": (text("[conv]\nfilters=\n"), "neither `[section]` nor `key=value`", 6),
    "open": (text("[conv\n"), "`[conv` is no section", 5),
    "kind": (text("[convolution]\n"), "Darknet has no layer `[convolution]`", 5),
    "key": (text("[conv]\nfilter=3\n"), "`[conv]` has no option `filter`", 6),
    "word": (text("[conv]\nfilters=many\n"), "`filters` is a whole number, not `many`", 6),
    "float": (text("[conv]\nfilters=3.5\n"), "`filters` is a whole number, not `3.5`", 6),
    "huge": (text("[conv]\nfilters=3000000000\n"), "more than 2,147,483,647", 6),
    "digits": (text(f"[conv]\nfilters={'9' * 5000}\n"), "more than 2,147,483,647", 6),
    "zero": (text("[conv]\nfilters=0\n"), "`filters` is at least 1, not 0", 6),
    "groups": (text("[conv]\ngroups=3\n"), "4 channels that come in are not divided by 3", 6),
    "padding": (text("[conv]\npadding=-1\n"), "`padding` is at least 0", 6),
    "window": (text("[conv]\nsize=11\n"), "would give a map of 1 x -1 x -2 cells", 5),
    "dilation": (text("[conv]\nsize=3\ndilation=2\n"), "Darknet counts wrong", 7),
    "activation": (text("[conv]\nactivation=lrelu\n"), "`lrelu` is no activation", 6),
    "comment": (text("[conv]\nactivation=leaky#1\n"), "`leaky#1` is no activation", 6),
    "stair": (text("[conv]\nactivation=stair\n"), "no word for the activation `stair`", 6),
    "swish": (text("[connected]\nactivation=swish\n"), "it gives zeros there", 6),
    "xnor": (text("[conv]\nxnor=1\n"), "no word for `xnor` in `[conv]`", 6),
    "antialiasing": (text("[maxpool]\nantialiasing=1\n"), "no word for `antialiasing`", 6),
    "pool": (text("[maxpool]\nsize=2\npadding=3\n"), "`padding` is 0 to 2 for windows of 2", 7),
    "lrn": (text("[normalization]\n"), "its running sums leave out a channel", 5),
    "gru": (text("[gru]\noutput=3\n"), "it keeps its state", 5),
    "no layers key": (text("[route]\n"), "needs `layers`", 5),
    "later": (text(CONV, "[route]\nlayers=5\n"), "takes layer 5, and only layers before", 12),
    "itself": (text("[route]\nlayers=0\n"), "takes layer 0", 6),
    "far": (text(CONV, "[route]\nlayers=-2\n"), "takes layer -1", 12),
    "gap": (text(CONV, "[route]\nlayers=0,,0\n"), "a number is missing in `layers`", 12),
    "sizes": (
        text(CONV, "[maxpool]\nstride=2\n", "[route]\nlayers=0,1\n"),
        "joins maps of 5 x 4 and 9 x 8 cells",
        15,
    ),
    "group": (text(CONV, "[route]\nlayers=0\ngroups=2\ngroup_id=2\n"), "`group_id` is 0 to 1", 14),
    "shortcut": (
        text(CONV, "[maxpool]\nstride=2\n", SHORT),
        "adds maps of 5 x 4 and 9 x 8 cells",
        15,
    ),
    "weights": (
        text(CONV, "[shortcut]\nfrom=-1\nweights_type=per_feature\n"),
        "no word for `weights_type`",
        13,
    ),
    "gate": (
        text(CONV, "[scale_channels]\nfrom=0\n"),
        "takes one number for each of 4 channels",
        12,
    ),
    "head": (
        text(CONV.replace("filters=4", "filters=6"), "[yolo]\nclasses=1\n", CONV),
        "takes what layer 1, `[yolo]`, gives, and the network ends there",
        14,
    ),
    "boxes": (
        text(CONV, "[yolo]\nclasses=80\nmask=0,1,2\n"),
        "makes boxes of 3 * (4 + 1 + 80) = 255 channels, and takes 4",
        11,
    ),
    "cells": (
        text("[connected]\noutput=1470\nactivation=linear\n[detection]\nclasses=20\ncoords=4\nnum=3\n"),
        "makes boxes of 7 * 7 * (3 * (1 + 4) + 20) = 1715 numbers, and takes 1470",
        8,
    ),
    "many layers": ("[net]\ninputs=3\n" + "[dropout]\n" * 10_050, "more than 10,000 layers", 10_003),
    "many numbers": (
        text(CONV, "[route]\nlayers=" + "0," * 1_000_000 + "0\n"),
        "`layers` has more than 10,000 numbers",
        12,
    ),
    "vector": (text("[softmax]\n", CONV), "takes a map, and layer 0, `[softmax]`, gives a vector", 7),
    "tree": (text("[softmax]\ntree=a.tree\n"), "no word for the softmax of a tree", 6),
    "crop": (text("[crop]\ncrop_height=20\ncrop_width=2\n"), "has no 20 x 2 in it", 5),
    "reorg": (text("[reorg]\nstride=2\n", width=7), "no whole blocks of 2 x 2", 5),
    "channels": (text("[reorg]\nstride=3\n", height=9, width=9), "a multiple of 9 channels", 5),
    "upsample": (text("[upsample]\nstride=-2\n"), "no word for `stride=-2`", 6),
    "share": (text(CONV, "[conv]\nshare_index=0\n"), "shares the weights of layer 0", 12),
    "shares": (text("[maxpool]\n", "[conv]\nshare_index=0\n"), "is no convolution whose weights", 8),
    "local": (text("[local]\nsize=5\npad=1\n"), "Darknet reads beyond the map", 7),
    "large": (text("[upsample]\nstride=100000\n"), "gives more than 2**31 numbers", 5),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_at_its_line(tmp_path: Path, name: str) -> None:
    cfg, message, line = REFUSED[name]
    with pytest.raises(DiagnosticError) as caught:
        read_text(tmp_path, cfg)
    (error,) = caught.value.diagnostics
    assert message in error.message
    assert error.span is not None
    assert error.span.line == line


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, data, message in [
        ("a.cfg", b"\xff\xfe\x00[net]", "is not UTF-8 text"),
        ("b.cfg", b"[net]\n" * 2_000_000, "larger than 10 MB"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DiagnosticError, match=message):
            read(Question(str(tmp_path / name)))
    with pytest.raises(DiagnosticError, match="can't read"):
        read(Question(str(tmp_path / "missing.cfg")))
    with pytest.raises(DiagnosticError, match="can't read"):
        read(Question(str(tmp_path) + "/x.cfg/y.cfg"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is too short"),
        (b"PK\3\4" + bytes(100), "its version would be 67324752.0"),
        (struct.pack("<iiiq", 0, 2, 0, 0), "holds 0 numbers, and the network has 148"),
        (struct.pack("<iiiq", 0, 2, 0, 0) + bytes(4 * 147), "ends within `0.conv.weight`"),
        (struct.pack("<iiiq", 0, 2, 0, 0) + bytes(4 * 148 + 1), "holds 148.25 numbers"),
        (struct.pack("<iiiq", 0, 1, 0, 0) + bytes(4 * 148), "holds 149 numbers"),
    ],
)
def test_weights_of_something_else_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "w.weights"
    path.write_bytes(data)
    with pytest.raises(DiagnosticError) as caught:
        read_text(tmp_path, text(CONV), path)
    assert message in str(caught.value)


def test_layers_whose_weights_are_not_in_the_file(tmp_path: Path) -> None:
    conv = CONV.replace("[convolutional]", "[convolutional]\ndontload=1")
    read_text(tmp_path, text(conv))
    path = write(tmp_path / "w", [np.zeros(148)])
    with pytest.raises(DiagnosticError, match="with `dontload` the weights of layer 0") as caught:
        read_text(tmp_path, text(conv), path)
    assert caught.value.diagnostics[0].span is not None


def test_questions_that_a_cfg_has_no_answer_to(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_text(text(CONV))
    for question, message in [
        (Question(str(path), settings={"classes": "3"}), "has no parameter `classes`"),
        (Question(str(path), {"picture": (4, 9, 8)}), "there is no input `picture`"),
        (Question(str(path), {"": (3, 9, 8)}), "the first of 4"),
        (Question(str(path), {"": (4, 9)}), "has 3 axes"),
        (Question(str(path), dtypes={"": "int64"}), "`image` is float32 in Darknet"),
    ]:
        with pytest.raises(DiagnosticError, match=message):
            read(question)


BASE = [
    text(
        CONV, layer("maxpool", size=2, stride=2), CONV, layer("route", layers="-1,1"),
        layer("upsample", stride=2), layer("reorg", stride=2), CONV,
        layer("shortcut", **{"from": -1, "activation": "swish"}),
        layer("convolutional", filters=16, activation="linear"),
        layer("yolo", mask="0,1", classes=3, anchors="10,13, 16,30"),
        height=16, width=16,
    ),
    text(
        layer("crop", crop_height=6, crop_width=6), CONV,
        layer("convolutional", filters=4, size=3, pad=1, dilation=2, share_index=-1),
        layer("avgpool"), layer("activation", activation="logistic"),
        layer("scale_channels", **{"from": -3}), layer("sam", **{"from": 2}),
        layer("route", layers="5,2", groups=2, group_id=1), layer("local", size=3, pad=1, filters=2),
        layer("dropout", probability=0.4), layer("connected", output=10, batch_normalize=1),
        layer("softmax", groups=2, temperature=2), layer("cost"),
    ),
]  # fmt: skip
WORDS = [
    "net", "convolutional", "maxpool", "route", "shortcut", "yolo", "size", "stride", "pad",
    "padding", "filters", "groups", "from", "layers", "activation", "leaky", "mish",
    "normalize_channels", "batch_normalize", "local", "reorg3d", "upsample",
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_changed_files_are_read_or_refused(tmp_path: Path, part: int) -> None:
    check_part(part, BASE, WORDS, tmp_path / "a.cfg")
