"""Random networks as `.net` text: branches, merges, blocks, loops, skips, claims, odd settings."""

from __future__ import annotations

from random import Random

from tests.hostile_names import LABELS

BLOCKS = """
fn twice(n: int) = 2 * n

# convolution, norm, activation
block Unit(c: int, kernel: size = 3, stride: int = 1, act: layer = relu) {
    conv: conv(c, kernel, stride=stride, padding=kernel // 2, bias=false) -> bn: batchnorm -> act
}

block Residual(stride: int = 1) {
    let c = in.channels
    add {
        { Unit(twice(c), 1) -> Unit(c, 3, stride=stride, act=identity) }
        if stride == 1 { identity } else { down: conv(c, 1, stride=stride) }
    } -> relu
}

block Join(c: int) (a, b) {
    (a -> upsample(size=b), b) -> concat -> Unit(c, 1)
}

block Gate {
    let c = in.channels
    mul { identity ; { global_avgpool -> fc: linear(c) -> sigmoid -> reshape([c, 1, 1]) } }
}

block Two(n: int) {
    a = conv(n, 1)
    (a, a -> maxpool(2, ceil_mode=true))
}
"""


def random_net(seed: int, *, symbolic: bool) -> str:
    """A network that most often is legal at sizes from about 16 on."""
    return _Writer(Random(seed), symbolic, Random(f"names {seed}")).net()


class _Writer:
    def __init__(self, random: Random, symbolic: bool, naming: Random) -> None:
        self.random, self.symbolic, self.naming = random, symbolic, naming
        self.odd_labels = naming.sample(LABELS, len(LABELS))
        self.values: list[str] = ["x"]
        self.lines: list[str] = []

    def net(self) -> str:
        size = "H, W" if self.symbolic else f"{self.number(17, 40)}, {self.number(17, 40)}"
        self.lines = [f"    input x: [{self.number(1, 6)}, {size}]"]
        self.lines.append(f"    layer again = {self.random.choice([self.simple, self.pool])(0)}")
        for index in range(self.number(2, 6)):
            self.lines.append(f"    v{index} = {self.line()}")
            self.values.append(f"v{index}")
        used = " ; ".join(f"{v} -> {self.head()}" for v in self.values)
        self.lines.append(f"    output y = concat {{ {used} }} -> last: linear(3)")
        return BLOCKS + "net Random {\n" + "\n".join(self.lines) + "\n}\n"

    def line(self) -> str:
        source = self.random.choice(self.values)
        kind = self.random.random()
        if kind < 0.15 and len(self.values) > 1:
            other = self.random.choice(self.values)
            return f"({source}, {other}) -> Join({self.number(1, 8)})"
        if kind < 0.25:
            label = f"t{len(self.lines)}"
            big = f"(({source} -> {label}: Two({self.number(1, 4)})) -> Join(4))"
            return f"{big[1:-1]} -> {self.stage(2)}"
        stages = [self.stage(2) for _ in range(self.number(1, 4))]
        if self.random.random() < 0.3:
            stages.insert(self.number(0, len(stages)), "again")
        return " -> ".join([source, *stages])

    def head(self) -> str:
        return self.random.choice(["global_avgpool", "global_maxpool", "spp([1, 2])",
                                   "adaptive_avgpool(3x2) -> flatten"])  # fmt: skip

    def label(self, letter: str) -> str:
        """A label that nothing else has: a letter and a number, or one that Python would not take."""
        number = self.number(0, 10**6)
        is_odd = self.odd_labels and self.naming.random() < 0.3
        return f"{self.odd_labels.pop() if is_odd else f'{letter}{number}'}: "

    def number(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def stage(self, depth: int) -> str:
        makers = [self.conv, self.conv, self.simple, self.simple, self.pool, self.grow]
        if depth:
            makers += [self.fork, self.loop, self.group, self.block, self.block]
        return self.random.choice(makers)(depth)

    def conv(self, depth: int) -> str:
        kernel = self.random.choice(["1", "3", "3", "5", "3x1", "1x5"])
        pad = self.random.choice(["0", "1", "2"]) if kernel in ("3", "5") else "0"
        pad = self.random.choice([pad, pad, "same_upper", "same_lower"])
        stride = self.random.choice(["1", "1", "2", "1x2"])
        dilation = self.random.choice(["1", "1", "2"])
        return (f"conv({self.number(1, 8)}, {kernel}, stride={stride}, padding={pad}, "
                f"dilation={dilation}, bias={self.random.choice(['true', 'false'])})")  # fmt: skip

    def simple(self, depth: int) -> str:
        return self.random.choice(
            ["relu", "batchnorm", "leaky_relu(0.2)", "silu", "dropout(0.1)", "identity", "hardswish",
             "softmax", "layernorm(axis=channels)", "lrn(3)", "tanh", "prelu", "Gate",
             "pad(1, mode=replicate)", "permute([0, 2, 1])", "gelu", "elu(0.5)", "mul(0.5)",
             "add(1)", "clamp(-1, 1)", "rmsnorm(axis=0)", "max(axis=0, keep=true)", "sin",
             "mean(axis=[1, 2], keep=true)", "slice(1)", "slice(-1, 0, end, step=2)"]
        )  # fmt: skip

    def pool(self, depth: int) -> str:
        kind = self.random.choice(["maxpool", "avgpool"])
        kernel = self.number(1, 3)
        padding = self.number(0, kernel // 2)
        ceil = self.random.choice(["true", "false"])
        if self.random.random() < 0.2:
            return f"{kind}({kernel}, stride={self.number(1, 3)}, padding=same_upper)"
        return f"{kind}({kernel}, stride={self.number(1, 3)}, padding={padding}, ceil_mode={ceil})"

    def grow(self, depth: int) -> str:
        return self.random.choice(
            ["upsample(2)", "upsample(1.5)", "upsample(scale=2x1, mode=bilinear)",
             f"conv_transpose({self.number(1, 4)}, 3, stride=2, padding=1, output_padding=1)",
             f"conv_transpose({self.number(1, 4)}, 2, stride=2)", "upsample(scale=0.7)",
             "upsample(1.25, mode=bilinear)", "upsample(2.3, mode=bicubic)", "upsample(1.1)"]
        )  # fmt: skip

    def fork(self, depth: int) -> str:
        kind = self.random.choice(["add", "concat", "max", "mean"])
        label = self.random.choice(["", "", self.label("f")])
        if self.random.random() < 0.1:
            many = self.random.choice([5, 17, 40, 220])
            return (
                f"{label}{kind} {{ for i in 0..{many} {{ leaky_relu(i / {many}) }} }} -> conv(3, 1)"
            )
        branches = ["identity"]
        for _ in range(self.number(1, 2)):
            keep = self.random.choice(["relu", "maxpool(3, stride=1, padding=1)", "batchnorm",
                                       "Residual", "Gate"])  # fmt: skip
            branches.append(
                keep if depth < 2 else f"{keep} -> {self.random.choice(['tanh', 'Gate'])}"
            )
        return f"{label}{kind} {{ {' ; '.join(branches)} }}"

    def loop(self, depth: int) -> str:
        label = self.random.choice(["", self.label("r")])
        if self.random.random() < 0.5:
            return f"{label}repeat {self.number(0, 3)} {{ {self.stage(0)} }}"
        items = ", ".join(str(self.number(1, 6)) for _ in range(self.number(1, 3)))
        return f"{label}for c in [{items}] {{ Unit(c, {self.random.choice(['1', '3'])}) -> relu }}"

    def group(self, depth: int) -> str:
        label = self.random.choice(["", self.label("g")])
        stages = " -> ".join(self.stage(depth - 1) for _ in range(self.number(1, 3)))
        return f"{label}{{ {stages} }}"

    def block(self, depth: int) -> str:
        return self.random.choice(
            [f"Unit({self.number(1, 8)})", f"Unit({self.number(1, 8)}, 5, stride=2, act=silu)",
             f"Unit({self.number(1, 8)}, 1x3)", "Residual", "Residual(2)", "Gate"]
        )  # fmt: skip
