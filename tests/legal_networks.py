"""Random networks that obey the whole language, so that any error or wrong number is a fault.

The writer keeps track of channels and of which values have the same spatial size; it uses named
values, labels, groups, loops, conditions, tuples, shared layers, weights and blocks of all kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from tests.hostile_names import COMMENTS, LABELS, VALUES
from tests.legal_blocks import AXES, blocks

FIXED = {1: "37", 2: "26, 33", 3: "17, 16, 18"}
LEAST = {1: 37, 2: 26, 3: 16}
SMOOTH = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}
DEEPEST = 2
SMALL = 4
"""The size that a map is pooled to where it must be known."""
ANY_RANK = [
    "softmax(axis=-1)",
    "log_softmax(axis=-1)",
    "slice(-1, 0, 2)",
    "concat(axis=-1)",
    "layernorm(axis=-1)",
    "dropout(0.1)",
    "relu",
]
"""Shared at maps, sequences and vectors."""
MAPS_ONLY = [
    "maxpool(2)",
    "avgpool(2)",
    "instancenorm",
    "batchnorm(affine=false, track=false)",
    "pad(1)",
    "pad(1, mode=replicate)",
    "crop(2, offset=1)",
    "center_crop(3)",
    "upsample(2)",
    "adaptive_avgpool(2)",
    "adaptive_maxpool(3)",
    "maxpool(3, stride=1)",
    "lppool(2, 2)",
    "channel_dropout(0.1)",
    "global_avgpool",
    "softmax(axis=-2)",
]
"""Shared at maps and sequences."""


@dataclass(frozen=True)
class Flow:
    """What is known of a value: channels, which size it has, how short its axes are at least."""

    channels: int
    size: int = 0
    least: int = 16
    level: int = 0


Made = tuple[str, Flow]


def legal_network(seed: int, *, symbolic: bool = True) -> str:
    """The text of a network with one input `x`, of one, two or three spatial axes."""
    return _Writer(Random(seed), symbolic, Random(f"names {seed}")).net()


class _Writer:
    def __init__(self, random: Random, symbolic: bool, naming: Random) -> None:
        self.random, self.symbolic, self.naming = random, symbolic, naming
        self.odd_values = naming.sample(VALUES, len(VALUES))
        labels = [f"10{label}" if label.isdigit() else label for label in LABELS]
        self.odd_labels = naming.sample(labels, len(labels))  # no number of an unlabelled stage
        self.rank = random.choice([1, 2, 2, 2, 3])
        self.width = random.randint(2, 4)
        self.deep = random.random() < 0.5
        self.numbers = 0
        self.values: dict[str, Flow] = {}
        self.unused: dict[str, Flow] = {}
        self.lines: list[str] = []
        self.vectors: list[str] = []

    # ---- the net ----

    def net(self) -> str:
        first = Flow(self.random.randint(1, 4), self.number(), LEAST[self.rank])
        size = AXES[self.rank] if self.symbolic else FIXED[self.rank]
        self.lines.append(f"input x: [{first.channels}, {size}]")
        self.define("x", first)
        for _ in range(self.random.randint(3, 7)):
            self.random.choice([self.chain, self.chain, self.join, self.pair, self.shared,
                                self.scale, self.merge, self.many, self.shared_at_ranks,
                                self.shared_join, self.weight_between, self.steps])()  # fmt: skip
        self.outputs()
        body = "\n".join(f"    {line}" for line in self.lines)
        head = f"net Legal(width: int = {self.width}, deep: bool = {str(self.deep).lower()})"
        made = blocks(self.rank)
        comment = self.naming.choice(["Made by chance.", *COMMENTS])
        made = made.replace("Convolution, norm, activation.", self.naming.choice(COMMENTS))
        return f"{made}\n# {comment}\n{head} {{\n{body}\n}}\n"

    def outputs(self) -> None:
        name, _ = self.pick()
        self.lines.append(f"output map = {name} -> conv({self.count(3)}, 1)")
        if self.random.random() < 0.5:
            other, _ = self.pick()
            self.lines.append(
                f"output extra = {other} -> global_avgpool -> head: linear(2) when training"
            )
        left = list(self.unused) or ["x"]
        heads = ["global_avgpool", "global_maxpool"] + ["spp([1, 2])"] * (self.rank == 2)
        pools = [f"{name} -> {self.random.choice(heads)}" for name in left] + self.vectors
        self.lines.append(f"output vector = ({', '.join(pools)}) -> concat -> last: linear(3)")

    # ---- lines ----

    def chain(self) -> None:
        name, flow = self.pick()
        text = name
        for _ in range(self.random.randint(1, 3)):
            stage, flow = self.stage(flow, 0, labels=True)
            if self.random.random() < 0.2 and ":" not in stage.split("{")[0].split("(")[0]:
                label = self.odd("l")
                stage = f"{label}: {stage}"
                self.values[label] = flow
            text += f" -> {stage}"
        self.line(text, flow)

    def join(self) -> None:
        (a, _), (b, flow) = self.pick(), self.pick()
        channels = self.random.randint(2, 6)
        self.line(f"({a}, {b}) -> Join({self.count(channels)})", replace(flow, channels=channels))

    def merge(self) -> None:
        """Two values of one size, made equal in channels."""
        a, flow = self.pick()
        same = [name for name, other in self.values.items() if other.size == flow.size]
        b = self.random.choice(same)
        channels = self.random.randint(2, 6)
        op = self.random.choice(["add", "sub", "mul", "max", "min", "mean"])
        self.use(b)
        text = f"({a} -> conv({channels}, 1), {b} -> conv({channels}, 1)) -> {op}"
        self.line(text, replace(flow, channels=channels))

    def pair(self) -> None:
        name, flow = self.pick()
        n = self.random.randint(2, 4)
        if flow.channels % 2 == 0 and self.random.random() < 0.5:
            first = second = replace(flow, channels=flow.channels // 2)
            stage = "split(2)"
        else:
            first, second = replace(flow, channels=n), replace(flow, channels=2 * n)
            stage = f"Pair({n})"
        a, b = self.odd("v"), self.odd("v")
        self.lines.append(f"({a}, {b}) = {name} -> {stage}")
        self.define(a, first)
        self.define(b, second)

    def shared(self) -> None:
        name, flow = self.pick()
        layer = self.odd("s")
        made = self.random.choice([f"Unit({flow.channels})", f"conv({flow.channels}, 1)", "Deep(1, "
                                   f"{flow.channels})", "batchnorm"])  # fmt: skip
        self.lines.append(f"layer {layer} = {made}")
        self.line(f"{name} -> {layer} -> relu -> {layer}", flow)
        if flow.size >= 0 and flow.level >= 0 and self.random.random() < 0.5:
            other = replace(flow, size=self.number(), least=flow.least + 2)
            self.line(f"{name} -> pad(1) -> {layer}", other)

    def shared_at_ranks(self) -> None:
        """A part without weights at a map, a sequence and, where it takes one, a vector."""
        name, _ = self.pick()
        small = f"{name} -> conv(4, 1) -> adaptive_avgpool({SMALL})"
        values = [small, f"{small} -> reshape([4, {SMALL**self.rank}])"]
        any_rank = self.random.random() < 0.5
        stage = self.random.choice(ANY_RANK if any_rank else MAPS_ONLY)
        if any_rank:
            values.append(f"{small} -> global_avgpool")
        if stage == "layernorm(axis=-1)":  # its weights are as long as the last axis
            values = [f"{small} -> reshape([{SMALL**self.rank}, 4])", values[-1]]
        self.random.shuffle(values)
        layer = f"s{self.number()}"
        if self.random.random() < 0.5:
            stage = f"Late({stage})"
        self.lines.append(f"layer {layer} = {stage}")
        for value in [*values, self.random.choice(values)]:
            vector = f"u{self.number()}"
            self.lines.append(f"{vector} = {value} -> {layer} -> flatten")
            self.vectors.append(vector)

    def shared_join(self) -> None:
        """A shared block of two inputs, which may be one value at its first use, or later."""
        (a, _), (b, flow) = self.pick(), self.pick()
        n, layer = self.random.randint(2, 4), f"j{self.number()}"
        p, q = f"v{self.number()}", f"v{self.number()}"
        self.lines += [f"{p} = {a} -> conv({n}, 1)", f"{q} = {b} -> conv({n}, 1)",
                       f"layer {layer} = Join({n})"]  # fmt: skip
        size = replace(flow, channels=n)
        first = self.random.choice([(q, q), (p, q)])
        for one, two in (first, (p, q), self.random.choice([(q, q), (p, q)])):
            self.line(f"({one}, {two}) -> {layer}", size)

    def many(self) -> None:
        """A merge of many values: of branches, or of all parts of a split."""
        name, flow = self.pick()
        n = self.random.choice([3, 5, 5, 17, 17, 40, 40, 40, 210])
        op = self.random.choice(["add", "max", "min", "mean", "concat", "mul"])
        n = min(n, 40) if op == "concat" else n
        if self.random.random() < 0.5:
            stage = "leaky_relu(1 - i / 1000)" if op == "mul" else f"leaky_relu(i / {n}) -> tanh"
            text = f"{name} -> tanh -> {op} {{ for i in 0..{n} {{ {stage} }} }}"
            channels = n * flow.channels if op == "concat" else flow.channels
        else:
            text, channels = f"{name} -> conv({n}, 1) -> tanh -> split({n}) -> {op}", 1
            channels = n if op == "concat" else 1
        self.line(f"{text} -> conv(3, 1)" if channels > 8 else text,
                  replace(flow, channels=3 if channels > 8 else channels))  # fmt: skip

    def weight_between(self) -> None:
        """Weights in any places of what is joined along the channels, or merged."""
        name, _ = self.pick()
        size = ", ".join([str(SMALL)] * self.rank)
        small = f"{name} -> conv(2, 1) -> adaptive_avgpool({SMALL})"
        op = self.random.choice(["concat", "concat", "add", "max", "mean"])
        values = [small, f"{small} -> relu"]
        for _ in range(self.random.randint(1, 2)):
            weight = f"w{self.number()}"
            lead = self.random.choice(["", "1, "])
            channels = self.random.randint(1, 3) if op == "concat" else self.random.choice([1, 2])
            self.lines.append(f"weight {weight}: [{lead}{channels}, {size}] = 0.5")
            values.insert(self.random.randint(0, len(values)), weight)
        vector = f"u{self.number()}"
        self.lines.append(f"{vector} = ({', '.join(values)}) -> {op} -> flatten")
        self.vectors.append(vector)

    def steps(self) -> None:
        """Attention or recurrence along a map of one axis, or along the cells of a small one."""
        name, _ = self.pick()
        pooled = "" if self.rank == 1 else f" -> adaptive_avgpool({SMALL}) -> reshape([4, -1])"
        tokens, mask, last = (f"{letter}{self.number()}" for letter in "tmu")
        self.lines.append(f"{tokens} = {name} -> conv(4, 1){pooled} -> permute([1, 0])")
        tail = self.random.choice(["", ", causal=true", f", mask={mask}"])
        texts = [f"{tokens} -> attention(2{tail})", f"({tokens}, {tokens} -> tanh) -> attention(1{tail})",
                 f"{tokens} -> {{ linear(12) -> split(3, axis=-1) -> attend(2{tail}) }}",
                 f"{tokens} -> lstm(3, bidirectional=true)", f"{tokens} -> gru(2, layers=2)",
                 f"{tokens} -> each {{ linear(2) }} -> rnn(3)",
                 f"({tokens}, {tokens} -> permute([1, 0])) -> matmul -> softmax(axis=-1) -> lstm(2)"
                 if self.rank > 1 else f"{tokens} -> rnn(2, mode=relu)"]  # fmt: skip
        if self.random.random() < 0.25:
            states = [f"{letter}{self.number()}" for letter in "yhc"]
            self.lines.append(f"({', '.join(states)}) = {tokens} -> lstm(2, states=true)")
            y, h, c = states
            texts = [f"({y}, {tokens} -> lstm(2, start={h}, start_cell={c})) -> add"]
        text = self.random.choice(texts)
        if mask in text:
            self.lines.append(f"{mask} = {tokens} -> mean(axis=-1)")
        self.lines.append(f"{last} = {text} -> mean(axis=0)")
        self.vectors.append(last)

    def scale(self) -> None:
        name, flow = self.pick()
        weight = self.odd("w")
        shape = [flow.channels, *[1] * self.rank]
        self.lines.append(f"weight {weight}: {shape} = 0.5")
        gate = self.random.choice(["", " -> sigmoid"])
        self.line(f"({name}, {weight}{gate}) -> {self.random.choice(['mul', 'add'])}", flow)

    def line(self, text: str, flow: Flow) -> None:
        name = self.odd("v")
        self.lines.append(f"{name} = {text}")
        self.define(name, flow)

    # ---- stages ----

    def stage(self, flow: Flow, depth: int, *, labels: bool) -> Made:
        makers: list[Callable[..., Made]] = [self.keep, self.keep, self.resize]
        if depth < DEEPEST:
            makers += [self.fork, self.fork, self.loop, self.group, self.choice, self.block]
        text, flow = self.random.choice(makers)(flow, depth, labels)
        return text, flow

    def keep(self, flow: Flow, depth: int, labels: bool) -> Made:
        """A stage that keeps the spatial size."""
        c, n = flow.channels, self.random.randint(2, 6)
        groups = self.random.choice([g for g in range(1, c + 1) if c % g == 0])
        same = ["relu", "silu", "leaky_relu(0.2)", "prelu", "batchnorm", "dropout(0.1)", "lrn(3)",
                "softmax(axis=channels)", "layernorm(axis=channels)", f"groupnorm({groups})",
                "maxpool(3, stride=1, padding=1)", f"channel_shuffle({groups})", "identity",
                "avgpool(3, stride=1, padding=1)", f"conv({c}, 3, padding=1, groups={groups})",
                "{ upsample(2) -> avgpool(2) }", "instancenorm", "hardswish",
                "AtLeast", *self.arithmetic(c)]  # fmt: skip
        change = [f"conv({self.count(n)}, 1)", f"conv({n}, 3, padding=same, dilation=2)",
                  f"conv({self.count(n)}, 5, padding=2, bias=false)",
                  f"WithPlaces({n})", f"conv({n}, {n}, padding=same_lower)",
                  f"{{ pad(1) -> conv({n}, 3) }}", f"Same({n}, {self.random.randint(1, 4)}, 1)",
                  f"{{ max(axis=0, keep=true) -> conv({n}, 1) }}",
                  f"{{ conv_transpose({n}, 2, stride=2) -> maxpool(2) }}"]  # fmt: skip
        if c > 1:
            same.append(f"{{ split([1, {c - 1}]) -> concat }}")
        if self.random.random() < 0.6:
            return self.random.choice(same), flow
        return self.random.choice(change), replace(flow, channels=n)

    def arithmetic(self, channels: int) -> list[str]:
        """Stages that compute with numbers, or with what is reduced; none jumps."""
        numbers = [self.random.choice([1, 0.5, -2, 3]) for _ in range(channels)]
        axes = list(range(1, self.rank + 1))
        return ["mul(0.5)", "{ add(1) -> div(3) }", "{ sub(0.1) -> abs }", f"mul({numbers})", "sin",
                "{ clamp(-1, high=2) -> pow(2) }", "where { greater(0) ; identity ; mul(0.1) }",
                "sub { identity ; mean(axis=channels, keep=true) }", "rmsnorm(axis=channels)",
                f"mul {{ identity ; mean(axis={axes}, keep=true) -> sigmoid }}",
                "div { identity ; norm(axis=0, keep=true) -> add(1) }", "{ tanh -> cumsum(axis=0) }",
                "min { identity ; sum(axis=0, keep=true) }"]  # fmt: skip

    def resize(self, flow: Flow, depth: int, labels: bool) -> Made:
        """A stage that makes another size; sizes stay between an eighth and twice the input's."""
        c, n, least = flow.channels, self.random.randint(2, 6), flow.least
        options: list[tuple[str, int, int, int]] = []  # text, channels, least, level
        if flow.level < 3 and least >= 4:
            k, s = self.random.randint(1, 5), self.random.randint(2, 3)
            options += [(f"conv({n}, 3, stride=2, padding=1)", n, (least + 1) // 2, 1),
                        (f"Same({n}, {k}, {s})", n, -(-least // s), s - 1),
                        (f"conv({n}, {k}, stride={s}, padding=same_upper)", n, -(-least // s), s - 1),
                        (f"maxpool({k}, stride={s}, padding=same_lower)", c, -(-least // s), s - 1),
                        (f"avgpool({k}, stride={s}, padding=same_upper, count_include_pad=false)",
                         c, -(-least // s), s - 1),
                        (f"{{ Same({n}, {k}, 1) -> Same({n}, 3, 2) }}", n, (least + 1) // 2, 1),
                        ("maxpool(2)", c, least // 2, 1), (f"conv({n}, 3)", n, least - 2, 0),
                        ("maxpool(3, stride=2, ceil_mode=true)", c, least // 2, 1),
                        ("avgpool(3, stride=2, padding=1)", c, (least + 1) // 2, 1)]  # fmt: skip
        if flow.level >= 0:
            options += [("upsample(2)", c, 2 * least, -1), ("pad(1)", c, least + 2, 0),
                        self.scaled(c, least), (f"conv_transpose({n}, 3, stride=2, padding=1, "
                        "output_padding=1)", n, 2 * least, -1)]  # fmt: skip
        if self.rank == 2:
            options.append(("permute([0, 2, 1])", c, least, 0))
        if not options:
            return self.keep(flow, depth, labels)
        text, channels, least, step = self.random.choice(options)
        return text, Flow(channels, self.number(), least, flow.level + step)

    def scaled(self, channels: int, least: int) -> tuple[str, int, int, int]:
        """Enlarged by a factor that is no whole number, of which PyTorch makes the same size."""
        tenths = self.random.choice([11, 15, 17, 18])
        mode = self.random.choice(["nearest", *SMOOTH[self.rank]])
        text = f"upsample({tenths / 10}, mode={mode})"
        return text, channels, tenths * least // 10, -1

    def exact(self) -> str:
        """A branch that has the size of the input only where 2 divides that."""
        return self.random.choice(["maxpool(2) -> upsample(2)", "avgpool(2) -> upsample(scale=2)"])

    def fork(self, flow: Flow, depth: int, labels: bool) -> Made:
        kind = self.random.choice(["add", "concat", "mul", "max", "mean"])
        target = flow.channels if self.random.random() < 0.5 else self.random.randint(2, 6)
        total, branches = 0, []
        for _ in range(self.random.randint(2, 3)):
            chain, out = self.sequence(flow, depth + 1, labels)
            if kind != "concat" and out.channels != target:
                chain, out = f"{chain} -> conv({target}, 1)", replace(out, channels=target)
            branches.append(self.labelled(f"{{ {chain} }}", labels))
            total += out.channels
        if target == flow.channels or kind == "concat":
            branches.append("identity")
            total += flow.channels
        if self.symbolic and self.random.random() < 0.2 and target == flow.channels:
            branches.append(self.exact())
            total += flow.channels
        channels = total if kind == "concat" else target
        text = f"{kind} {{ {' ; '.join(branches)} }}"
        return self.labelled(text, labels), replace(flow, channels=channels)

    def sequence(self, flow: Flow, depth: int, labels: bool) -> Made:
        """Some stages that keep the size."""
        parts = []
        for _ in range(self.random.randint(1, 2)):
            makers = [self.keep] if depth >= DEEPEST else [self.keep, self.fork, self.block]
            text, flow = self.random.choice(makers)(flow, depth, labels)
            parts.append(text)
        return " -> ".join(parts), flow

    def loop(self, flow: Flow, depth: int, labels: bool) -> Made:
        c, n = flow.channels, self.random.randint(2, 5)
        body, _ = self.sequence(flow, depth + 1, False)
        texts = [(f"repeat {self.random.randint(0, 3)} {{ {body} -> conv({c}, 1) }}", c),
                 (f"for c in [{n}, {n + 1}] {{ Unit(c) }}", n + 1),
                 (f"for (c, k) in [[4, 1], [{n}, 3]] {{ conv(c, k, padding=k // 2) -> relu }}", n),
                 ("for i in 0..3 { if i == 1 { relu } else { conv(4 + i, 1) } }", 6)]  # fmt: skip
        if labels:
            texts.append((f"for i in 0..2 {{ t{self.number()}[i]: conv({n}, 3, padding=1) }}", n))
            texts.append((f"for i in 0..2 {{ t{self.number()}.[i].x: Unit({n}) }}", n))
        text, channels = self.random.choice(texts)
        return self.labelled(text, labels), replace(flow, channels=channels)

    def group(self, flow: Flow, depth: int, labels: bool) -> Made:
        parts = []
        for _ in range(self.random.randint(1, 3)):
            text, flow = self.stage(flow, depth + 1, labels=labels)
            parts.append(text)
        text = " -> ".join(parts)
        if labels and depth == 0 and self.random.random() < 0.2:
            levels = self.random.choice([3, 5, 12, 70])
            return f"n{self.number()}: {{ " + "in_: { " * levels + text + " }" * (levels + 1), flow
        return self.labelled(f"{{ {text} }}", labels), flow

    def choice(self, flow: Flow, depth: int, labels: bool) -> Made:
        """An `if` on a parameter of the net; the arm not taken is written, too."""
        yes, no = (self.stage(flow, depth + 1, labels=labels) for _ in range(2))
        text = f"if deep {{ {yes[0]} }} else {{ {no[0]} }}"
        return self.labelled(text, labels), yes[1] if self.deep else no[1]

    def block(self, flow: Flow, depth: int, labels: bool) -> Made:
        n = self.random.randint(2, 6)
        texts = [(f"Unit({n})", n), (f"Unit({self.count(n)}, act=prelu)", n),
                 ("Residual", flow.channels), ("Residual(inner=2)", flow.channels),
                 (f"Deep({self.random.randint(0, 2)}, {n})", n), (f"Wide({n})", 2 * n),
                 (f"Wide({n}, [5, 3, 1])", 3 * n), ("Gate", flow.channels),
                 (f"{{ Pair({n}) -> concat }}", 3 * n)]  # fmt: skip
        text, channels = self.random.choice(texts)
        return self.labelled(text, labels), replace(flow, channels=channels)

    # ---- help ----

    def labelled(self, text: str, labels: bool) -> str:
        if not labels or self.random.random() < 0.6:
            return text
        label = self.odd("n", self.odd_labels)
        more = ""
        if self.naming.random() < 0.2 and (text[0] in "{DGPRUW" or "{" in text):
            more = f" -> {label}.{self.odd('m', self.odd_labels)}: prelu"  # beside what it holds
        return f"{label}: {text}{more}"

    def odd(self, letter: str, pool: list[str] | None = None) -> str:
        """A letter and a number, or now and then a name that Python would not take."""
        number = self.number()
        pool = self.odd_values if pool is None else pool
        return pool.pop() if pool and self.naming.random() < 0.15 else f"{letter}{number}"

    def count(self, n: int) -> str:
        """A number, or the expression of it in the net's parameter."""
        if n % self.width == 0 and self.random.random() < 0.5:
            return f"width * {n // self.width}"
        return str(n)

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def define(self, name: str, flow: Flow) -> None:
        self.values[name] = self.unused[name] = flow

    def pick(self) -> tuple[str, Flow]:
        name = self.random.choice([*self.unused, *self.values])
        self.use(name)
        return name, self.values[name]

    def use(self, name: str) -> None:
        self.unused.pop(name, None)


# --- several inputs ------------------------------------------------------------------------


def several_inputs(seed: int) -> str:
    """A network of two or three inputs that share some size symbols, each with needs of its own."""
    random = Random(seed)
    lines: list[str] = []
    pooled: list[str] = []
    for number in range(random.randint(2, 3)):
        axes = random.choice([("H", "W"), ("H", "V"), ("V", "H"), ("U", "W"), ("L",), ("H",)])
        name = f"x{number}"
        lines.append(f"input {name}: [{random.randint(1, 3)}, {', '.join(axes)}]")
        stages = [_need(random) for _ in range(random.randint(1, 2))]
        pooled.append(f"{name} -> {' -> '.join(stages)} -> global_avgpool")
    joined = f"output y = ({', '.join(pooled)}) -> concat -> linear(2)"
    alone = f"output z = x{random.randrange(len(pooled))} -> {_need(random)}"
    last = random.sample([joined, alone], 2)
    return "net Several {\n " + "\n ".join([*lines, *last]) + "\n}\n"


def _need(random: Random) -> str:
    """A layer that takes some sizes and not others."""
    kernel = random.randint(2, 4)
    return random.choice([
        f"conv(2, {kernel}, stride={random.randint(1, 2)})",
        f"maxpool({kernel})",
        f"avgpool({kernel}, stride=1)",
        "conv(2, 3, padding=1, padding_mode=reflect)",
    ])  # fmt: skip
