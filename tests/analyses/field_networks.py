"""Random networks for what the analyses say of receptive fields: a few lines, each on the one before."""

from __future__ import annotations

from random import Random

import netdsl
from netdsl.lints import WARNINGS

Sizes = tuple[object, object]


class Lines:
    """Writes networks of one input and two to five values, of so many channels."""

    channels = 2

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def net(self, sizes: Sizes) -> str:
        lines, value = [], "x"
        for number in range(self.random.randint(2, 5)):
            lines.append(f"    v{number} = {value} -> {self.line(value)}")
            value = f"v{number}"
        body = "\n".join(lines)
        return (
            f"net Field {{\n    input x: [{self.channels}, {sizes[0]}, {sizes[1]}]\n{body}\n"
            f"    output y = {value} -> identity\n}}\n"
        )

    def line(self, value: str) -> str:
        """What is done with a value."""
        raise NotImplementedError


class Irregular(Lines):
    """What makes fields irregular: sizes that round, borders, parts."""

    channels = 4

    def line(self, value: str) -> str:
        pick = self.random.choice
        kernel, mode = pick([1, 2, 3, 3, 5]), pick(["zeros", "zeros", "reflect", "circular"])
        smooth = pick(["nearest", "nearest", "bilinear", "bicubic"])
        corners = pick(["", ", align_corners=true"]) if smooth != "nearest" else ""
        inner = f"conv(4, {kernel}, stride={pick([2, 2, 3])}, padding={kernel // 2})"
        return pick([
            f"conv(4, {kernel}, stride={pick([1, 1, 2, 3])}, padding={pick([0, 1, kernel // 2])}, "
            f"padding_mode={mode}, groups={pick([1, 2, 4])}, dilation={pick([1, 1, 2])})",
            f"conv(4, {kernel}, stride={pick([1, 1, 2])}, padding={pick(['same_upper', 'same_lower'])}, "
            f"padding_mode={mode})",
            f"avgpool({kernel}, stride={pick([1, 2])}, ceil_mode={pick(['true', 'false'])})",
            f"conv_transpose(4, {kernel}, stride={pick([1, 2, 3])}, groups={pick([1, 2])})",
            f"add {{ identity ; {inner} -> upsample(size={value}, mode={smooth}{corners}) }}",
            f"add {{ identity ; {inner} -> {inner} -> upsample(size={value}) }}",
            f"concat {{ identity ; {inner} -> upsample(size={value}, mode={smooth}) }} -> conv(4, 1)",
            "concat { conv(2, 1) ; conv(2, 5, padding=2) } -> slice(0, 0, 2) -> conv(4, 3)",
            "concat { conv(2, 1) ; conv(2, 5, padding=2) } -> split(2) -> add -> conv(4, 1)",
            "concat { conv(2, 1) ; conv(2, 5, padding=2) } -> channel_shuffle(2) -> slice(0, 0, 2) "
            "-> conv(4, 3, padding=1)",
            "concat { conv(2, 1) ; conv(2, 3, padding=1) } -> conv(4, 3, padding=1, groups=2)",
            "concat(axis=1) { identity ; conv(4, 3, padding=1) }",
            f"adaptive_avgpool({pick([3, 4, 5, 7])})",
            "conv(16, 3, padding=1) -> pixel_shuffle(2)",
            "pad(right=1, bottom=1) -> slice(1, 0, 12) -> slice(2, 0, 10) -> pixel_unshuffle(2)"
            f"{pick(['', ' -> slice(0, 0, 2)', ' -> conv(8, 3, padding=1, groups=4)'])} -> conv(4, 1)",
            f"pad({pick([1, 2])}, mode={pick(['constant', 'reflect', 'circular', 'replicate'])})",
            "permute([0, 2, 1]) -> conv(4, 3x1) -> permute([0, 2, 1])",
            "slice(1, 1, -1)", "slice(-1, 0, -1, step=2)", f"center_crop({pick([5, 6])})",
            f"upsample({pick(['2', '3', '1.5', '0.7'])}, mode={smooth}{corners})",
            "mul { identity ; adaptive_avgpool(1) -> conv(4, 1) -> sigmoid }",
            "mul { identity ; mean(axis=[0, 2], keep=true) }", "add { identity ; max(axis=0, keep=true) }",
            "cumsum(axis=1)", "{ mul([1, 2, 3, 4]) -> add(1) }",
            "relu",
        ])  # fmt: skip


class Moving(Lines):
    """Chains of layers that move, mix, shrink and enlarge, with branches."""

    smooth = False
    """Whether every number that is seen has a gradient."""

    def line(self, value: str) -> str:
        if self.random.random() < 0.3:
            return self.fork(value)
        return " -> ".join(self.stage() for _ in range(self.random.randint(1, 2)))

    def fork(self, value: str) -> str:
        return self.random.choice(
            [
                "add { identity ; conv(2, 3, padding=1) ; conv(2, 5, padding=2) }",
                "concat { conv(1, 3, padding=2, dilation=2) ; conv(1, 1) }",
                "concat { identity ; conv(2, 3x1, padding=(1, 0)) } -> conv(2, 1)",
                f"add {{ identity ; avgpool(2, ceil_mode=true) -> upsample(size={value}) }}",
                f"add {{ identity ; conv(2, 3, stride=2, padding=1) -> upsample(size={value}) }}",
                "div { identity ; norm(axis=0, keep=true) -> add(1) }",
                "add { identity ; mean(axis=2, keep=true) }",
                "add { identity ; sum(axis=[0, 1], keep=true) }",
            ]
        )

    def stage(self) -> str:
        pick = self.random.choice
        if self.smooth and self.random.random() < 0.4:
            return pick(["upsample(2, mode=bilinear)", "upsample(4, mode=bilinear)",
                         "upsample(2, mode=bicubic)", "upsample(1.5, mode=bilinear)",
                         "upsample(1.3, mode=bilinear)", "upsample(0.7, mode=bicubic)"])  # fmt: skip
        kernel = pick([1, 2, 3, 3, 4, 5])
        places = [] if self.smooth else ["1.7", "2.3"]  # they round otherwise in double precision
        stages = [
            f"conv(2, {kernel}, stride={pick([1, 1, 2, 3])}, padding={pick([0, 1, 2])}, "
            f"dilation={pick([1, 1, 2])})",
            f"conv(2, {kernel}x1, stride=1x2)",
            f"avgpool({kernel}, stride={pick([1, 2, 3])}, ceil_mode={pick(['true', 'false'])}, "
            f"padding={pick([0, kernel // 2])})",
            f"conv_transpose(2, {kernel}, stride={pick([1, 2, 3][:kernel])}, padding={pick([0, 1])})",
            "conv_transpose(2, 3, stride=2, padding=1, output_padding=1)",
            f"upsample({pick(['2', '3', '2x1', '1.5', '0.7', *places])})",
            "relu", "batchnorm", "lrn(2)",
            f"conv(2, {kernel}, stride={pick([1, 2, 3])}, padding={pick(['same_upper', 'same_lower'])}, "
            f"dilation={pick([1, 1, 2])})",
            f"avgpool({kernel}, stride={pick([1, 2, 3])}, padding=same_upper)",
            "pad(left=2, bottom=1)",
            "slice(1, 1, -1)", "slice(-1, 2, -2, step=2)", "conv(8, 1) -> pixel_shuffle(2)",
            "pixel_unshuffle(1)",
        ]  # fmt: skip
        if not self.smooth:
            stages.append(f"maxpool({kernel}, stride={pick([1, 2])}, padding={kernel // 2})")
        return pick(stages)


class Smooth(Moving):
    """The same with enlargements between cells, and without maxima."""

    smooth = True


def built(writer: Lines, sizes: Sizes, most: int) -> netdsl.Network | None:
    """The network, unless it is none, or its result has an axis of more than `most` cells."""
    try:
        network = netdsl.loads(writer.net(sizes), allow=WARNINGS)
    except netdsl.DiagnosticError:
        return None
    axes = network.outputs[0].shape[1:]
    return network if all(not isinstance(n, int) or n <= most for n in axes) else None
