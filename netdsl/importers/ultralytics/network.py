"""The network of a file, layer by layer, with paths as the checkpoints of ultralytics have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netdsl.importers.frontend import refused
from netdsl.importers.program import Path, Value
from netdsl.importers.ultralytics import attention, basic, detr, elan, heads, plain, stages, texts
from netdsl.importers.ultralytics.basic import Net
from netdsl.importers.ultralytics.binding import Build, bound, values
from netdsl.importers.ultralytics.rows import Model, Row
from netdsl.ir.dim import substitute

SCALED: dict[str, Build] = {
    "Conv": basic.conv,
    "ConvTranspose": basic.conv_transpose,
    "nn.ConvTranspose2d": basic.nn_conv_transpose,
    "GhostConv": basic.ghost,
    "DWConv": basic.depthwise,
    "Focus": basic.focus,
    "SCDown": basic.scdown,
    "SPP": basic.spp,
    "SPPF": basic.sppf,
    "SPPELAN": elan.spp_elan,
    "Bottleneck": stages.bottleneck,
    "GhostBottleneck": stages.ghost_bottleneck,
    "C2": stages.c2,
    "C2f": stages.c2f,
    "C2fPSA": stages.c2f_psa,
    "C2fCIB": stages.c2f_cib,
    "C3": stages.c3,
    "C3k2": stages.c3k2,
    "C3Ghost": stages.c3_ghost,
    "C2PSA": attention.c2psa,
    "PSA": attention.psa,
    "RepC3": stages.rep_c3,
    "RepNCSPELAN4": elan.elan,
    "ELAN1": elan.elan1,
    "ADown": elan.adown,
    "AConv": elan.aconv,
    "A2C2f": stages.a2c2f,
    "Classify": heads.classify,
}
"""Modules whose first argument is a number of channels, which the scale changes."""
DEEP = frozenset(
    ["C2", "C2f", "C2fPSA", "C2fCIB", "C3", "C3k2", "C3Ghost", "C2PSA", "RepC3", "A2C2f"]
)
"""Of these, those that take the repeats themselves."""
PLAIN: dict[str, Build] = {
    "HGStem": detr.hg_stem,
    "ResNetLayer": detr.resnet_layer,
    "AIFI": detr.aifi,
    "nn.Upsample": plain.upsample,
    "nn.MaxPool2d": plain.max_pool,
    "nn.AvgPool2d": plain.avg_pool,
    "nn.ZeroPad2d": plain.zero_pad,
    "nn.Identity": plain.identity,
    "nn.BatchNorm2d": plain.batch_norm,
}
"""Modules that take their arguments as they are."""
HEADS = frozenset(["Detect", "v10Detect", "Segment", "Pose", "OBB"])
UNSAID = {
    "RTDETRDecoder": "it goes on with the 300 places of the best scores",
    "WorldDetect": "it compares places with the features of texts",
    "YOLOEDetect": "it compares places with the features of texts",
    "YOLOESegment": "it compares places with the features of texts",
    "YOLOESegment26": "it compares places with the features of texts",
    "OBB26": "what it computes is not known here",
    "Pose26": "what it computes is not known here",
    "Segment26": "what it computes is not known here",
    "Depth": "what it computes is not known here",
    "SemanticSegment": "what it computes is not known here",
}
"""Heads that are not read, and why."""
NOMINAL = 256
"""The size at which steps between places are counted."""


@dataclass(eq=False, slots=True)
class Network:
    """Layers one after the other; `results` are what each gives, several values for some."""

    model: Model
    net: Net
    image: Value
    with_head: bool
    results: list[list[Value]] = field(default_factory=list[list[Value]])
    inputs: list[Value] = field(default_factory=list[Value])
    outputs: list[tuple[str, Value]] = field(default_factory=list[tuple[str, Value]])
    text: Value | None = None
    """Features of texts, which flow in from outside or are changed on the way."""
    is_plain: bool = True
    """Whether scores have plain convolutions before them: until YOLO11."""

    def build(self) -> None:
        """All layers, and the outputs."""
        for row in self.model.rows:
            self.net.origin = row.span
            self.results.append(self.layer(row))
        if not self.outputs:
            last = self.results[-1]
            names = ["map"] if len(last) == 1 else [f"map{place}" for place in range(len(last))]
            self.outputs = list(zip(names, last, strict=True))

    def layer(self, row: Row) -> list[Value]:
        path = ("model", str(row.number))
        if row.module == "Concat":
            return [self.concat(row, path)]
        if row.module == "CBFuse":
            return [self.fused(row, path)]
        if row.module == "ImagePoolingAttn":
            return [self.looked_at(row, path)]
        if row.module in HEADS or row.module in UNSAID:
            return self.head(row, path)
        x = self.taken(row)
        if row.module == "CBLinear":
            return elan.cb_linear(self.net, path, x, *self.bound(row, elan.cb_linear))
        if row.module == "HGBlock":
            arguments = values(self.model, row)
            arguments[3:3] = [self.model.repeats(row.repeats)]
            return [detr.hg_block(self.net, path, x, *bound(row, detr.hg_block, arguments, 1))]
        if row.module == "C2fAttn":
            return [self.guided(row, path, x)]
        if row.module in PLAIN:
            return [self.repeated(row, path, x, PLAIN[row.module], values(self.model, row))]
        if row.module in SCALED:
            return [self.scaled(row, path, x)]
        raise self.unknown(row)

    def unknown(self, row: Row) -> Exception:
        if row.module == "TorchVision":
            help = "import the model itself: `torchvision.models:resnet18`"
            return refused("TorchVision is a model of another library", row.span, help=help)
        return refused(f"the module {row.module[:40]} is not known", row.span)

    # --- what flows in

    def value(self, row: Row, source: int) -> Value:
        """The one result of a layer before."""
        results = [self.image] if source < 0 else self.results[source]
        if len(results) != 1:
            message = f"layer {source} gives {len(results)} values, and one is taken"
            raise refused(message, row.span)
        return results[0]

    def taken(self, row: Row) -> Value:
        if row.takes_list:
            message = f"{row.module[:40]} takes the result of one layer, not a list"
            raise refused(message, row.span)
        return self.value(row, row.sources[0])

    def several(self, row: Row) -> list[Value]:
        if not row.takes_list:
            raise refused(f"{row.module} takes a list of layers", row.span)
        return [self.value(row, source) for source in row.sources]

    def bound(self, row: Row, build: Build) -> list[Any]:
        if row.repeats != 1:
            raise refused(f"{row.module} is not repeated", row.span)
        return bound(row, build, values(self.model, row))

    # --- modules

    def concat(self, row: Row, path: Path) -> Value:
        maps = self.several(row)
        axis = values(self.model, row) or [1]
        if axis != [1] or row.repeats != 1:
            raise refused("Concat joins channels, `[1]`, once", row.span)
        return self.net.call("concat", *maps, path=path)

    def fused(self, row: Row, path: Path) -> Value:
        """The sum of one value of each layer, at the size of the last."""
        (places,) = self.bound(row, fuse_arguments)
        if not row.takes_list or len(places) != len(row.sources) - 1:
            message = f"CBFuse has a number for each layer but the last, {len(row.sources) - 1}"
            raise refused(message, row.span)
        parts: list[Value] = []
        for source, place in zip(row.sources, places, strict=False):
            if source < 0 or not 0 <= place < len(self.results[source]):
                raise refused(f"layer {source} has no value number {place}", row.span)
            parts.append(self.results[source][place])
        return elan.cb_fuse(self.net, path, parts, self.value(row, row.sources[-1]))

    def texts(self) -> Value:
        """The features of texts, as they are by now."""
        if self.text is None:
            self.text = self.net.input(("T", texts.TEXT), name="text")
            self.inputs.append(self.text)
            self.net.root.inputs.append(self.text)
        return self.text

    def looked_at(self, row: Row, path: Path) -> Value:
        """The features of texts after they looked at maps; layers behind take these."""
        (*_, width) = self.bound(row, pooling_arguments) or [256]
        maps = self.several(row)
        self.text = texts.pooling_attention(self.net, path, maps, self.texts(), width)
        return self.text

    def guided(self, row: Row, path: Path, x: Value) -> Value:
        """`C2fAttn`, whose embedding and heads are scaled too, to at most half of the channels."""
        arguments = values(self.model, row)
        wholes = [one for one in arguments[:3] if isinstance(one, int) and 0 < one <= 1_000_000]
        if len(wholes) != 3:
            raise refused("C2fAttn begins with channels, an embedding, heads", row.span)
        channels, embedding, heads = wholes
        model, most = self.model, self.model.most // 2
        arguments[:3] = [
            model.wide(channels) if channels != model.classes else channels,
            model.repeats(row.repeats),
            model.wide(embedding, most),
            int(max(round(min(heads, most // 32)) * model.width, 1)) if heads > 1 else heads,
        ]
        own = bound(row, texts.c2f_attn, arguments, 1)
        return texts.c2f_attn(self.net, path, x, *own, text=self.texts())

    def scaled(self, row: Row, path: Path, x: Value) -> Value:
        """A module with channels: they are scaled, unless they are as many as classes."""
        model, build = self.model, SCALED[row.module]
        arguments = values(model, row)
        if not arguments or not isinstance(arguments[0], int) or isinstance(arguments[0], bool):
            raise refused(f"{row.module} begins with a number of channels", row.span)
        if not 1 <= arguments[0] <= 1_000_000:
            message = f"the number of channels is from 1 to 1,000,000, not {arguments[0]}"
            raise refused(message, row.span)
        if arguments[0] != model.classes:
            arguments[0] = model.wide(arguments[0])
        if row.module not in DEEP:
            y = self.repeated(row, path, x, build, arguments)
            if row.module == "Classify" and row is model.rows[-1]:
                self.outputs = [("probabilities", y)]
            return y
        arguments[1:1] = [model.repeats(row.repeats)]
        if row.module == "C3k2":
            self.is_plain = False
            if model.scale in tuple("mlx"):
                arguments[2:3] = [True]
        if row.module == "A2C2f":
            self.is_plain = False
            if model.scale in tuple("lx"):
                arguments += [True, 1.2]
        return build(self.net, path, x, *bound(row, build, arguments, 1))

    def repeated(
        self, row: Row, path: Path, x: Value, build: Build, arguments: list[object]
    ) -> Value:
        """A module, or several of it in a row."""
        settings = bound(row, build, arguments)
        count = self.model.repeats(row.repeats)
        if count == 1:
            return build(self.net, path, x, *settings)
        with self.net.in_row(path, x):
            for place in range(count):
                before = self.net.channels(x)
                x = build(self.net, (str(place),), x, *settings)
                if self.net.channels(x) != before and place + 1 < count:
                    message = (
                        f"{row.module} in a row of {count} takes {before} channels each time, "
                        f"and gives {self.net.channels(x)}"
                    )
                    raise refused(message, row.span)
            return self.net.result(x)

    # --- heads

    def head(self, row: Row, path: Path) -> list[Value]:
        maps = self.several(row) if row.takes_list else [self.taken(row)]
        if not self.with_head:
            self.outputs = [(f"map{n}", x) for n, x in zip(row.sources, maps, strict=True)]
            return maps
        self._check_head(row)
        style = self.style(row, maps)
        rest = values(self.model, row)[1:]
        if row.module in ("Detect", "v10Detect"):
            self._count(row, rest, 0)
            predictions = heads.detect(self.net, path, maps, style, row.module)
        elif row.module == "Segment":
            predictions, masks = self.segment(row, path, maps, style, rest)
            self.outputs = [("predictions", predictions), ("prototypes", masks)]
            return [predictions, masks]
        elif row.module == "Pose":
            if self.model.points is None or rest != [self.model.points]:
                raise refused("Pose takes `[nc, kpt_shape]`, as the file has them", row.span)
            predictions = heads.pose(self.net, path, maps, style, self.model.points)
        else:
            self._count(row, rest, 1)
            angles = self._whole(row, rest[0])
            predictions = heads.oriented(self.net, path, maps, style, angles)
        self.outputs = [("predictions", predictions)]
        return [predictions]

    def segment(
        self, row: Row, path: Path, maps: list[Value], style: heads.Style, rest: list[object]
    ) -> tuple[Value, Value]:
        self._count(row, rest, 2)
        masks, width = (self._whole(row, one) for one in rest)
        return heads.segment(self.net, path, maps, style, masks, self.model.wide(width))

    def _check_head(self, row: Row) -> None:
        """Refuses a head that is not read."""
        help = "`--set head=false` gives the maps that go into it"
        if row.module in UNSAID:
            message = f"the head {row.module} is not read: {UNSAID[row.module]}"
            raise refused(message, row.span, help=help)
        if self.model.twofold and row.module not in ("Detect", "v10Detect"):
            raise refused(f"{row.module} with `end2end` is not read", row.span, help=help)
        if row is not self.model.rows[-1]:
            raise refused(f"the head {row.module} stands last", row.span)
        if row.repeats != 1 or not row.takes_list:
            raise refused(f"{row.module} takes a list of layers, once", row.span)

    def style(self, row: Row, maps: list[Value]) -> heads.Style:
        """What the head has from the file, and how far places of each map are from each other."""
        arguments = values(self.model, row)
        classes = self._whole(row, arguments[0]) if arguments else self.model.classes
        steps: list[int] = []
        at = dict.fromkeys("HW", NOMINAL)
        for x in maps:
            height = substitute(self.net.shape(x)[1], at)
            if not isinstance(height, int) or height < 1 or NOMINAL % height:
                message = f"a map of {NOMINAL} rows has {height} rows here, which is no divisor"
                raise refused(message, row.span)
            steps.append(NOMINAL // height)
        is_tenth = row.module == "v10Detect"
        twofold = self.model.twofold or is_tenth
        is_plain = self.is_plain and not is_tenth
        return heads.Style(classes, self.model.bins, tuple(steps), is_plain, twofold)

    def _whole(self, row: Row, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 100_000:
            message = f"{row.module} takes whole numbers from 1, not `{str(value)[:40]}`"
            raise refused(message, row.span)
        return value

    def _count(self, row: Row, rest: list[object], count: int) -> None:
        if len(rest) != count:
            message = f"{row.module} takes {count + 1} arguments, not {len(rest) + 1}"
            raise refused(message, row.span)


def fuse_arguments(d: Net, path: Path, x: Value, places: list[int]) -> None:
    """What CBFuse is told."""


def pooling_arguments(d: Net, path: Path, x: Value, width: int = 256) -> None:
    """What ImagePoolingAttn is told."""
