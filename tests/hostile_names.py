"""Names that Python, PyTorch or a reader could stumble over, and every place of the language.

Each place is a file with a name in it, and what docs/language.md promises of its keys and of the
names of its inputs and outputs, written down by hand. Nothing of netdsl is used here.
"""

from __future__ import annotations

import builtins
import keyword
from dataclasses import dataclass

SOFT = ["match", "case", "type", "_", "async", "await", "print", "exec"]
DUNDERS = ["__debug__", "__class__", "__init__", "__call__", "__dict__", "__name__", "__file__",
           "__builtins__", "__doc__", "__slots__", "__module__", "__foo__", "__new__"]  # fmt: skip
MODULE = ["forward", "training", "_parameters", "_modules", "_buffers", "_apply", "_call_impl", "to",
          "half", "train", "state_dict", "parameters", "add_module", "get_submodule", "T_destination",
          "_version", "register_parameter", "named_modules", "dump_patches", "apply", "cpu", "xpu",
          "requires_grad_", "_get_name", "compile", "eval", "bfloat"]  # fmt: skip
CONTAINERS = ["keys", "values", "items", "pop", "update", "clear", "append", "extend", "insert",
              "weight", "bias", "index", "count", "_fields", "_replace", "_make"]  # fmt: skip
SOURCE = ["self", "cls", "nn", "torch", "F", "Tensor", "OrderedDict", "NamedTuple", "module", "x",
          "y", "z", "v", "x2", "in_channels", "in_features", "channels", "kernel_size", "DropPath",
          "AxisLayerNorm", "adaptive_pool", "WindowAttention", "Normalize", "annotations", "Hostile",
          "HostileOutputs", "HostileNet", "Sequential", "Parameter", "Module", "constant", "N",
          "batch", "batch_size", "conv1", "relu1", "numpy", "np"]  # fmt: skip
MANGLED = ["__k", "__k_", "__", "___", "_k", "_1", "__1", "_Hostile__k", "_Unit__k"]
LONG = ["n" * 300, "_" * 90 + "n", "A" * 1000]
WORDS = ["net", "block", "fn", "use", "as", "input", "output", "let", "weight", "layer", "repeat",
         "for", "in", "if", "else", "when", "where", "and", "or", "not", "true", "false", "none",
         "same", "conv", "relu", "add", "mean", "int", "float", "size", "string"]  # fmt: skip
ODD = ["\ufb01", "\uff41\uff42", "\u2167", "x\u00b2", "\u00e9", "e\u0301", "\u212b", "\u4e2d",
       "\u03bc", "\u00b5", "a'b", "a\\'b", "a\\", "\\N{BULLET}", "{0}", "{n}", "%s", "a b", " ",
       "a-b", "$x", "@page@", "<b>", "</script>", "<!--<script>", "&amp;", "]]>", "a|b", "*a*",
       "`a`", "#", "//", "a:b", "a;b", "a/b", "a=b", "\u200b", "\u202ea", "\ufeffa", "\x7f", "\x1b[31m",
       "a\tb", "\x00", "\uffff", "\u2028", "\U0001f600", "\ufb01.fi", "0x1", "1e5", "007", ".", "a..b",
       "\u0663", "\u01c5", "\u0130", "\u00df", "\u1e9e"]  # fmt: skip

NAMES = list(
    dict.fromkeys(
        [
            *keyword.kwlist, *SOFT, *DUNDERS, *MODULE, *CONTAINERS, *SOURCE, *MANGLED, *LONG, *WORDS,
            *ODD, *(name for name in dir(builtins) if len(name) < 8),
        ]
    )
)  # fmt: skip

VALUES = ["self", "nn", "torch", "F", "Tensor", "class", "lambda", "len", "super", "getattr", "None",
          "_", "__k", "_1", "y", "z", "x2", "keys", "pop", "match"]  # fmt: skip
"""Names for values and labels of random networks, which use each once."""
LABELS = ['"a\'b"', '"\ufb01"', '"a\\"', '"x\u00b2"', '"{0}"', '"a b"', '"<b>"', "append", "values",
          "items", "7", "import", "weight", "bias", "add_", "repeat", '"__k\u00e9"']  # fmt: skip
"""Labels alone."""
COMMENTS = ['ends in "', '"""', "\\", "a\\", "\\N{", "it's", "{0} %s", "\x07\x1b[31m", "\u202eabc",
            "\u2028", "</script>", "\U0001f600"]  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A file with a name at one place of the language.

    `keys` are those of its layers with weights: `a` stands for `a.weight` and `a.bias`, `=a` for
    `a` itself; `$` is the name, `$l` the name in lower case. `after` follows it in the label.
    """

    text: str
    keys: tuple[str, ...]
    inputs: tuple[str, ...] = ("image",)
    outputs: tuple[str, ...] = ("result",)
    is_label: bool = False
    is_quoted: bool = False
    after: str = ""

    def file(self, name: str) -> str:
        return self.text.replace("$", name)

    def wanted_keys(self, name: str) -> list[str]:
        found: list[str] = []
        for key in self.keys:
            path = key.replace("$l", name.lower()).replace("$", name)
            found += [path[1:]] if key.startswith("=") else [f"{path}.weight", f"{path}.bias"]
        return sorted(found)


def _net(body: str, before: str = "", head: str = "net Hostile") -> str:
    lines = f"input image: [3, 4, 4]\n{body}" if "input " not in body else body
    return f"{before}\n{head} {{\n{lines}\n}}\n"


def _labels(
    stages: str, *keys: str, before: str = "", quoted: bool = False, after: str = ""
) -> Place:
    text = _net(f"output result = image -> {stages}", before)
    return Place(text, keys, is_label=True, is_quoted=quoted, after=after)


UNIT = "block Unit { c: conv(3, 1) -> relu }"
PLACES: dict[str, Place] = {
    "net": Place(_net("output result = image -> c: conv(3, 1)", head="net $"), ("c",)),
    "net of several outputs": Place(
        _net("output result = image -> c: conv(3, 1)\noutput other = image -> relu", head="net $"),
        ("c",), outputs=("result", "other"),
    ),
    "net parameter": Place(
        _net("output result = image -> c: conv($, 1) -> d: conv(2 * $, 1)",
             head="net Hostile($: int = 4)"), ("c", "d"),
    ),
    "block": Place(
        _net("output result = image -> $(3) -> $(4) -> u: $(5) -> s: { $(6) -> relu }",
             "block $(width: int) { c: conv(width, 1) -> relu }"), ("$l1.c", "$l2.c", "u.c", "s.0.c"),
    ),
    "block parameter": Place(
        _net("output result = image -> a: B(4) -> b: B(5) -> o: { B($=6) -> relu }",
             "block B($: int, more: int = 2 * $) { c: conv(max($, 3), 1) -> u: U($) -> d: conv(more, 1) }\n"
             "block U($: int) { c: conv($, 1) -> m: groupnorm($) }"),
        ("a.c", "a.u.c", "a.u.m", "a.d", "b.c", "b.u.c", "b.u.m", "b.d", "o.0.c", "o.0.u.c", "o.0.u.m", "o.0.d"),
    ),
    "layer parameter": Place(
        _net("output result = image -> a: B(relu) -> b: B(leaky_relu(0.2))",
             "block B($: layer) { c: conv(3, 1) -> $ -> d: conv(3, 1) }"), ("a.c", "a.d", "b.c", "b.d"),
    ),
    "block input": Place(
        _net("output result = (image, image -> relu) -> b: B -> tanh",
             "block B ($, second) { k = second -> c: conv(3, 1); (k, $, second) -> add }"),
        ("b.c",),
    ),
    "shape symbol": Place(
        _net("output result = image -> b: B -> c: B",
             "block B : [$, H, W] -> [2 * $, H, W] { c: conv(2 * $, 1) }"), ("b.c", "c.c"),
    ),
    "size symbol": Place(
        _net("input image: [3, $, 4]\noutput result = image -> c: conv(3, 3, padding=1)"
             " -> maxpool(2) -> upsample(size=image)"), ("c",),
    ),
    "input": Place(
        _net("input $: [3, 4, 4]\ninput second: [3, 4, 4]\noutput result = ($, second) -> add"
             " -> c: conv(3, 1)"), ("c",), inputs=("$", "second"),
    ),
    "output": Place(_net("output $ = image -> c: conv(3, 1)"), ("c",), outputs=("$",)),
    "output of several": Place(
        _net("output other = image -> c: conv(3, 1)\noutput $ = other -> d: conv(3, 1) -> relu"
             "\noutput third = $ -> relu -> tanh\noutput y = other -> tanh"),
        ("c", "d"), outputs=("other", "$", "third", "y"),
    ),
    "output of training": Place(
        _net("output other = image -> c: conv(3, 1)\noutput $ = image -> d: conv(3, 1) when training"
             "\noutput third = image -> relu"),
        ("c", "d"), outputs=("other", "third"),
    ),
    "value": Place(
        _net("$ = image -> c: conv(3, 1)\nw = $ -> relu\noutput result = ($, w, image) -> add"), ("c",),
    ),
    "value in a block": Place(
        _net("output result = image -> b: B -> drop_path(0.5)",
             "block B { $ = c: conv(3, 1); w = $ -> relu; ($, w, in) -> max }"), ("b.c",),
    ),
    "value of a tuple": Place(
        _net("($, w) = image -> c: conv(4, 1) -> split(2)\noutput result = (w, $, $ -> relu) -> concat"),
        ("c",),
    ),
    "let": Place(
        _net("output result = image -> a: B(4) -> b: B(5)",
             "block B(n: int) { let $ = n * 2 + 1; c: conv($, 1) -> d: conv(min($, n), 1) }"),
        ("a.c", "a.d", "b.c", "b.d"),
    ),
    "loop variable": Place(
        _net("output result = image -> for $ in [4, 5] { conv($, 1) } -> g: for ($, k) in [[4, 1]] { conv($, k) }"),
        ("conv1", "conv2", "g.0"),
    ),
    "function": Place(
        _net("output result = image -> c: conv($(4), 1)", "fn $(v: int) = 2 * v"), ("c",),
    ),
    "function parameter": Place(
        _net("output result = image -> c: conv(f(4), 1)", "fn f($: int) = 2 * $ + max($, 1)"), ("c",),
    ),
    "alias": Place(
        _net("output result = image -> d: conv(4, 1) -> c: $.ConvAct(4)", "use std.conv as $"),
        ("d", "c.conv"),
    ),
    "weight": Place(
        _net("weight $: [3, 1, 1] = 2\noutput result = (image -> c: conv(3, 1), $) -> mul"), ("=$", "c"),
        is_label=True,
    ),
    "weight in a block": Place(
        _net("output result = image -> b: B", "block B { weight $: [3, 1, 1]; (in, $) -> add }"), ("=b.$",),
        is_label=True,
    ),
    "layer": Place(
        _net("layer $ = conv(3, 1)\noutput result = image -> $ -> softsign -> $"), ("$",), is_label=True,
    ),
    "shared block": Place(
        _net("layer $ = Unit\noutput result = image -> $ -> softsign -> $", UNIT), ("$.c",), is_label=True,
    ),
    "label": _labels("$: conv(3, 1) -> relu", "$"),
    "label of a group": _labels("$: { conv(3, 1) -> relu } -> zz: conv(3, 1)", "$.0", "zz"),
    "label of a block": _labels("$: Unit -> w: Unit", "$.c", "w.c", before=UNIT),
    "label of a fork": _labels("$: add { p: conv(3, 1) ; q: conv(3, 1) }", "$.p", "$.q"),
    "label in a group": _labels("s: { $: conv(3, 1) -> relu } -> relu", "s.$"),
    "label in a block": _labels("b: B", "b.$", before="block B { $: conv(3, 1) -> relu }"),
    "label without weights": _labels("$: relu -> c: conv(3, 1) -> w: { tanh -> relu }", "c"),
    "first part": _labels("$.a: conv(3, 1) -> $.b: conv(3, 1)", "$.a", "$.b"),
    "last part": _labels("a.$: conv(3, 1) -> a.b: conv(3, 1)", "a.$", "a.b"),
    "part between": _labels("a.$.b: { conv(3, 1) -> relu }", "a.$.b.0"),
    "part below a group": _labels("b: { conv(3, 1) -> relu } -> b.$: conv(3, 1)", "b.0", "b.$"),
    "part below a name": _labels("$: relu -> $.f: conv(3, 1) -> $.g.$: conv(3, 1)", "$.f", "$.g.$"),
    "label with a number": _labels("for i in 16..18 { $[i]: conv(3, 1) }", "$16", "$17", after="16"),
    "quoted label": _labels('"$": conv(3, 1) -> relu', "$", quoted=True),
    "quoted label of a group": _labels('"$": { a: conv(3, 1) -> b: add { conv(3, 1) ; tanh } }', "$.a", "$.b.conv1", quoted=True),
    "quoted label of a block": _labels('"$": Unit -> w: Unit', "$.c", "w.c", before=UNIT, quoted=True),
    "quoted label in a group": _labels('s: { "$": conv(3, 1) -> relu } -> relu', "s.$", quoted=True),
    "quoted part": _labels('a."$": conv(3, 1) -> "$".a: conv(3, 1)', "a.$", "$.a", quoted=True),
    "quoted part below": _labels('"$": relu -> "$"."$": conv(3, 1)', "$.$", quoted=True),
}  # fmt: skip


def is_word(name: str) -> bool:
    """Whether the language takes it as a name without quotes."""
    return name.isascii() and name.isidentifier()
