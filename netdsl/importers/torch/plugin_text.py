"""Layers of one's own as the files of a plug-in: the layers, and what makes their modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from netdsl import ops
from netdsl.importers.torch.plugged import Parameter, Plugged, Use
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor

HEAD = '''\
"""Layers that netdsl has no word for: each runs a class of PyTorch as it is.

The shapes that stand here were measured, and hold for these sizes alone. State the rule of a layer
in its `infer`; `netdsl import --plugin {file}` then takes it, and compares it with the class.
`pytest {file}` compares each layer with its class.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from netdsl.ops import *

HELPER = str(Path(__file__).with_name("{helper}"))
{folders}
SHAPES: dict[tuple[object, ...], Tensors] = {{}}
"""The results that were measured, by the layer and what comes in."""
WEIGHTS: dict[Op, tuple[WeightSpec, ...]] = {{}}
"""The tensors of a layer, as the `state_dict` of its module has them."""


@dataclass(frozen=True)
class OfClass(Op):
    """What is the same for all: nothing is known of what such a layer sees."""

    family: ClassVar[str] = "custom"

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        if self not in WEIGHTS:
            raise LookupError(f"state the tensors of {{self}} in `WEIGHTS`")
        return WEIGHTS[self]

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def connections(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        return (None,) * outputs[0].rank
'''
LAYER = '''

@dataclass(frozen=True)
class {cls}(OfClass):
    """The class `{qualname}` of `{module}`.

{rows}
    """

    name: ClassVar[str] = "{name}"
    stands_for: ClassVar[str] = "{home}"
    arity: ClassVar[tuple[int, int | None]] = ({count}, {count})
{fields}
    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        # The rule for all sizes goes here: `return (inputs[0],)` if the shape stays as it is.
        types = SHAPES.get((self, *map(str, inputs)))
        if types is None:
            shapes = " and ".join(map(str, inputs))
            message = f"no rule of `{{self.name}}` is stated for {{shapes}} and these settings"
            rules.refuse("in", message, help="state it in `infer` of `{cls}`, in {file}")
        return types

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchModule("made_{name}", (), keywords({settings}), helper=HELPER)

'''
COMPARED = '''

def compared(layer: str, types: list[str], count: int, source: Any) -> None:
    """Whether a layer gives what a module of its class gives, with the same weights."""
    import torch

    import netdsl

    names = [f"x{place}" for place in range(len(types))]
    results = [f"y{place}" for place in range(count)]
    lines = [f"input {name}: {one}" for name, one in zip(names, types, strict=True)]
    flow, target = (", ".join(several) for several in (names, results))
    target = f"({target})" if count > 1 else target
    lines += [f"{target} = ({flow}) -> one: {layer}"]
    lines += [f"output out{place} = {name}" for place, name in enumerate(results)]
    text = "\\n".join(["net Alone {", *lines, "}"])
    net = netdsl.loads(text, plugins=[sys.modules[__name__]])
    module = net.torch().eval()
    module.load_state_dict({f"one.{key}": one for key, one in source.state_dict().items()})
    torch.manual_seed(0)
    inputs = [
        torch.randn(2, *one.shape)
        if "float" in str(one.dtype)
        else torch.randint(0, 2, (2, *one.shape)).to(getattr(torch, str(one.dtype)))
        for one in net.inputs
    ]
    with torch.no_grad():
        both = [module(*inputs), source.eval()(*inputs)]
    ours, theirs = ([one] if torch.is_tensor(one) else list(one) for one in both)
    stated = [(2, *one.shape) for one in net.outputs]
    assert [tuple(one.shape) for one in ours] == [tuple(one.shape) for one in theirs] == stated
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, equal_nan=True)
'''
TEST = """

def test_{name}_{number}() -> None:
    from {module} import {outer}

    compared({text!r}, {types}, {count}, {qualname}({given}))
"""
HELPER_HEAD = '''\
"""Makes the modules that the layers of {file} run; their classes must be there to import."""

from __future__ import annotations

from torch import nn
'''
MAKER = '''

def made_{name}(**settings: object) -> nn.Module:
    """A {qualname} of {module}."""
    from {module} import {outer}

    return {qualname}(**settings)
'''


def plugin_files(plugs: Sequence[Plugged], path: str) -> dict[str, str]:
    """The files of a plug-in by their paths: its layers, and their helper beside them."""
    file = Path(path)
    helper = file.with_name(f"{file.stem}_torch.py")
    return {
        str(file): "".join(_layers(plugs, file, helper)),
        str(helper): "".join(
            [HELPER_HEAD.format(file=file.name)]
            + [MAKER.format(name=one.name, **_place(one)) for one in plugs]
        ),
    }


def _layers(plugs: Sequence[Plugged], file: Path, helper: Path) -> Iterator[str]:
    folders = sorted({folder for one in plugs if (folder := _folder(one.kind, file))})
    lines = [f"sys.path.append(str(Path(__file__).parent / {folder!r}))\n" for folder in folders]
    yield HEAD.format(file=file.name, helper=helper.name, folders="".join(lines))
    names = set(ops.__all__)
    for one in plugs:
        name = one.kind.__name__
        while name in names:
            name += "Layer"
        names.add(name)
        yield _layer(one, name, file)
    yield COMPARED
    for one in plugs:
        for number, use in enumerate(one.uses):
            yield TEST.format(
                name=one.name,
                number=number,
                text=_call(one, use),
                types=f"[{', '.join(_literal(str(part)) for part in use.inputs)}]",
                count=len(use.results),
                given=_given(one, use, of_class=True),
                **_place(one),
            )


def _layer(one: Plugged, cls: str, file: Path) -> str:
    rows = [
        f"    {_call(one, use)}: {_types(use.inputs)} -> {_types(use.results)}" for use in one.uses
    ]
    fields = [
        f'    {part.name}: Any = param({part.kind}, "`{part.of_class}` of the class"'
        f"{'' if part.is_required else f', {_literal(part.default)}'})\n"
        for part in one.parameters
    ]
    settings = [
        f'\n            {part.of_class}=From({_kept(part)}, "{part.name}"),'
        for part in one.parameters
    ]
    text = LAYER.format(
        cls=cls,
        rows="\n".join(rows),
        name=one.name,
        home=one.home,
        count=len(one.uses[0].inputs),
        fields="".join(["\n" * bool(fields), *fields]),
        file=file.name,
        settings="".join([*settings, "\n        " * bool(settings)]),
        **_place(one),
    )
    facts = [_fact(one, cls, use) for use in one.uses]
    return text + "\n" + "".join(dict.fromkeys(line for lines in facts for line in lines))


def _fact(one: Plugged, cls: str, use: Use) -> tuple[str, str]:
    """What was measured of one module."""
    layer = f"{cls}({_given(one, use, of_class=False)})"
    types = "".join(f'"{part}", ' for part in use.inputs)
    results = "".join(f"{_tensor(part)}, " for part in use.results)
    weights = "".join(f"\n    {_spec(part)}," for part in use.weights)
    weights += "\n" * bool(weights)
    return (
        f"SHAPES[{layer}, {types.removesuffix(', ')}] = ({results.removesuffix(' ')})\n",
        f"WEIGHTS[{layer}] = ({weights})\n",
    )


def _tensor(one: Tensor) -> str:
    dtype = f', "{one.dtype}"' if one.dtype != "float32" else ""
    return f"Tensor({one.shape!r}{dtype})"


def _spec(one: WeightSpec) -> str:
    further = ", trained=False" * (not one.trained)
    further += f', dtype="{one.dtype}"' if one.dtype != "float32" else ""
    return f'WeightSpec("{one.key}", {one.shape!r}, "{one.init}"{further})'


def _call(one: Plugged, use: Use) -> str:
    """The layer as it stands in a `.net` file."""
    texts: list[str] = []
    for part in one.parameters:
        value = use.settings[part.name]
        if value is None or (not part.is_required and _same(value, part.default)):
            continue
        text = f'"{value}"' if isinstance(value, str) else repr(value).lower()
        text = f"[{text[1:-1].removesuffix(',')}]" if isinstance(value, tuple) else text
        texts.append(text if part.is_required else f"{part.name}={text}")
    return f"{one.name}({', '.join(texts)})" if texts else one.name


def _literal(value: Any) -> str:
    """A literal of Python, with texts as everywhere in the file."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and value == other


def _given(one: Plugged, use: Use, *, of_class: bool) -> str:
    """The arguments of the user's class, or of the layer's, which keeps lists as tuples."""
    texts: list[str] = []
    for part in one.parameters:
        value = use.settings[part.name]
        if not of_class and isinstance(value, list):
            value = tuple(value)
        texts.append(f"{part.of_class if of_class else part.name}={_literal(value)}")
    return ", ".join(texts)


def _kept(one: Parameter) -> str:
    """A field as the class takes it: a list where it was one."""
    if not one.is_list:
        return f"self.{one.name}"
    is_optional = one.kind.startswith("optional")
    return f"self.{one.name} and list(self.{one.name})" if is_optional else f"list(self.{one.name})"


def _types(types: Sequence[Tensor]) -> str:
    return ", ".join(map(str, types))


def _place(one: Plugged) -> dict[str, str]:
    module, _, qualname = one.home.partition(":")
    return {"module": module, "qualname": qualname, "outer": qualname.partition(".")[0]}


def _folder(kind: type, file: Path) -> str:
    """Where Python finds the module of a class, from the folder of the plug-in; "" if installed."""
    home = getattr(sys.modules[kind.__module__], "__file__", None)
    if home is None or "site-packages" in Path(home).parts:
        return ""
    depth = kind.__module__.count(".") + Path(home).name.startswith("__init__.")
    return os.path.relpath(Path(home).resolve().parents[depth], file.resolve().parent)
