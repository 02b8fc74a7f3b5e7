"""A network layer by layer: which function reads which section, and which options it may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

from netdsl.importers.darknet import dense, heads, joins, pools
from netdsl.importers.darknet.cfg import Section
from netdsl.importers.darknet.state import State
from netdsl.importers.darknet.writer import Flow, Writer
from netdsl.importers.frontend import refused
from netdsl.importers.program import Output, Region, Value

TRAINING = (
    "burnin_update clip dont_update dontload dontloadscales learning_rate onlyforward stopbackward "
    "train_only_bn"
)
"""Options of every section that say how it is trained and loaded."""
CONVOLUTION = (
    "activation angle antialiasing assisted_excitation batch_normalize bin_output binary cbn "
    "coordconv dilation dot filters flipped grad_centr groups pad padding reverse rotate "
    "share_index size stream stretch stretch_sway stride stride_x stride_y sway wait_stream xnor"
)
MAXPOOL = (
    "antialiasing maxpool_depth maxpool_zero_nonmax out_channels padding size stride stride_x "
    "stride_y"
)
CROP = "angle crop_height crop_width exposure flip noadjust saturation shift"
DROPOUT = "dropblock dropblock_size_abs dropblock_size_rel probability"
SHORTCUT = "activation from weights_normalization weights_type"
SOFTMAX = "groups noloss spatial temperature tree"

Reader = Callable[[State, Section], Flow]

READERS: dict[str, tuple[Reader, str | None]] = {
    "convolutional": (dense.convolutional, CONVOLUTION),
    "conv": (dense.convolutional, CONVOLUTION),
    "connected": (dense.connected, "activation batch_normalize output"),
    "conn": (dense.connected, "activation batch_normalize output"),
    "local": (dense.local, "activation filters pad size stride"),
    "batchnorm": (dense.batchnorm, ""),
    "maxpool": (pools.maxpool, MAXPOOL),
    "max": (pools.maxpool, MAXPOOL),
    "local_avgpool": (pools.local_avgpool, "padding size stride stride_x stride_y"),
    "local_avg": (pools.local_avgpool, "padding size stride stride_x stride_y"),
    "avgpool": (pools.avgpool, ""),
    "avg": (pools.avgpool, ""),
    "upsample": (pools.upsample, "scale stride"),
    "reorg": (pools.reorg, "reverse stride"),
    "reorg3d": (pools.reorg, "reverse stride"),
    "crop": (pools.crop, CROP),
    "dropout": (pools.dropout, DROPOUT),
    "activation": (pools.activation, "activation"),
    "empty": (joins.empty, None),
    "route": (joins.route, "group_id groups layers stream wait_stream"),
    "shortcut": (joins.shortcut, SHORTCUT),
    "scale_channels": (joins.scale_channels, "activation from scale_wh"),
    "sam": (joins.sam, "activation from"),
    "softmax": (heads.softmax, SOFTMAX),
    "soft": (heads.softmax, SOFTMAX),
    "cost": (heads.head, None),
    "detection": (heads.head, None),
    "region": (heads.head, None),
    "yolo": (heads.head, None),
    "Gaussian_yolo": (heads.head, None),
    "contrastive": (heads.head, None),
}
"""What reads a section, and its options; None where none of them says what is computed."""

WORDLESS = {
    "normalization": "its running sums leave out a channel, so that it is no `lrn`",
    "lrn": "its running sums leave out a channel, so that it is no `lrn`",
    "history": "it keeps frames from one call to the next",
    "rnn": "it keeps its state from one call to the next",
    "gru": "it keeps its state from one call to the next",
    "lstm": "it keeps its state from one call to the next",
    "crnn": "it keeps its state from one call to the next",
    "conv_lstm": "it keeps its state from one call to the next",
}
"""Sections that the language has no word for, and why."""


@dataclass(slots=True)
class Reading:
    """A network that was read: what flows out of each layer, its outputs, remarks.

    `is_fixed` where it computes what it does at the sizes of its source alone.
    """

    writer: Writer
    flows: list[Flow] = field(default_factory=list[Flow])
    outputs: list[Output] = field(default_factory=list[Output])
    remarks: list[str] = field(default_factory=list[str])
    is_fixed: bool = False


def layers(sections: list[Section], root: Region, image: Value) -> Reading:
    """Read all layers. Raises `DiagnosticError` for the first that can't be."""
    state = State(Writer(root), sections[0], image)
    for section in sections[1:]:
        state.writer.span = section.span
        state.flows.append(reader(section)(state, section))
        bounded(state.flows[-1], section)
    if not state.flows:
        raise refused("there are no layers", sections[0].span)
    dense.tabled(state)
    reading = Reading(state.writer, state.flows, [], state.remarks, state.is_fixed)
    reading.outputs = heads.outputs(state)
    return reading


def reader(section: Section) -> Reader:
    """What reads a section, if it has no options but those that are known."""
    if section.kind in WORDLESS:
        raise refused(
            f"the language has no word for `[{section.kind}]`: {WORDLESS[section.kind]}",
            section.span,
        )
    if section.kind not in READERS:
        raise refused(f"Darknet has no layer `[{section.kind:.40}]`", section.span)
    read, names = READERS[section.kind]
    if names is not None:
        known = {*names.split(), *TRAINING.split()}
        for key, option in section.options.items():
            if key not in known:
                raise refused(
                    f"`[{section.kind}]` has no option `{key:.40}`",
                    option.span,
                    help="Darknet would pass over it: leave it out, or mend it",
                )
    return read


def bounded(flow: Flow, section: Section) -> None:
    """Refuse maps without a cell, and those that nothing could hold."""
    if min(flow.shape) < 1:
        text = " x ".join(map(str, flow.shape))
        raise refused(f"{section.title} would give a map of {text} cells", section.span)
    if prod(flow.shape) >= 2**31:
        raise refused(f"{section.title} gives more than 2**31 numbers", section.span)
