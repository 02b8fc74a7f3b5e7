"""What stands in front of a network that takes floats, as text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from netdsl.analyses.photograph import Frame, PhotographError, frame_of
from netdsl.diagnostics import DiagnosticError, Sink, Source
from netdsl.driver import Loading, compile_source
from netdsl.importers.frontend import is_foreign
from netdsl.network import Network
from netdsl.syntax import ast, parse

USUAL = 224
"""The size of most networks for ImageNet, where a network takes any."""
MEAN, STD = "[0.485, 0.456, 0.406]", "[0.229, 0.224, 0.225]"
"""Of the images of ImageNet, as torchvision has them."""
KINDS = ("imagenet",)


@dataclass(frozen=True, slots=True)
class Front:
    """A net that takes photographs and calls another net: `text` is its definition."""

    name: str
    text: str


def with_photographs(network: Network, path: str, **options: Unpack[Loading]) -> Network:
    """The network behind torchvision's preprocessing for ImageNet; its keys stay.

    `path` and `options` are what it was loaded by. Raises `PhotographError` where it can't stand
    behind it, `DiagnosticError` where it does not take what comes.
    """
    handed = {} if is_foreign(path) else options.get("params") or {}
    front = front_of(network, _definition(network), list(handed))
    text = f"{network.source.rstrip()}\n\n{front.text}"
    where = None if path == "-" or is_foreign(path) else Path(path)
    own = {**options, "net": front.name, "params": handed}
    for name in "inputs", "opens":
        own.pop(name, None)
    made = compile_source(Source(f"{path} --as imagenet", text), where, **own)  # type: ignore[arg-type]
    return Network(made.graph, made.warnings, network.sources, made.source, network.origin)


def front_of(network: Network, definition: ast.NetDefinition, handed: list[str]) -> Front:
    """The net to write. `handed` are the parameters that it hands on."""
    frame = frame_of(network.graph)
    size = _size(network, frame)
    name = f"{network.name}OfPhotographs"
    parameters = [p for p in definition.parameters if p.name.text in handed]
    own = ", ".join(p.span.text for p in parameters)
    given = ", ".join(f"{p.name.text}={p.name.text}" for p in parameters)
    results = [o.name for o in network.graph.inference_outputs]
    photo = "photo" if "photo" not in results else "of_photo"
    lines = [
        f"net {name}{f'({own})' if own else ''} {{",
        f"    input {photo}: uint8 [3, H, W]",
        f"    {_targets(results)} = {photo}",
        f"        -> resize({size * 256 // USUAL}) -> center_crop({size}, rounding=round)",
        f"        -> to_float -> normalize({MEAN}, {STD})",
        f"        -> {'permute([1, 2, 0]) -> ' * frame.is_last}inline {network.name}"
        f"{f'({given})' if given else ''}",
    ]
    lines += [f"    output {result} = of_{result}" for result in results if len(results) > 1]
    return Front(name, "\n".join([*lines, "}", ""]))


def _targets(results: list[str]) -> str:
    several = ", ".join(f"of_{result}" for result in results)
    return f"output {results[0]}" if len(results) == 1 else f"({several})"


def advice(network: Network, path: str) -> str:
    """What to write where a network takes floats: the lines of a file that calls it."""
    try:
        front = front_of(network, _definition(network), [])
    except (PhotographError, DiagnosticError):
        return ""
    use = (
        "" if is_foreign(path) or path == "-" else f'use "./{Path(path).name}" ({network.name})\n\n'
    )
    where = "beside it" if use else "behind its text (`netdsl import`)"
    lines = "".join(f"    {line}\n" if line else "\n" for line in f"{use}{front.text}".splitlines())
    return (
        f"say it in a file {where}, with the numbers that its weights were trained with:\n\n{lines}"
        "\n`--as imagenet` is what stands there, for weights trained as torchvision's"
    )


def _definition(network: Network) -> ast.NetDefinition:
    """The lines of the network in its text."""
    tree = parse(Source("<text>", network.source), Sink()) if network.source else None
    for definition in tree.definitions if tree is not None else ():
        if isinstance(definition, ast.NetDefinition) and definition.name.text == network.name:
            return definition
    raise PhotographError(f"{network.name} has no text that a net could stand behind")


def _size(network: Network, frame: Frame) -> int:
    """The height and width to crop: the network's own, or the usual one."""
    item = frame.item
    if item.dtype != "float32" or frame.channels != 3:
        raise PhotographError(
            f"{network.name} takes {item.name} {item.value.type}, and the preprocessing of "
            "ImageNet gives three channels of float32"
        )
    sizes = {size if isinstance(size, int) else USUAL for size in frame.height_and_width}
    if len(sizes) != 1:
        raise PhotographError(
            f"{network.name} takes {item.name} {item.value.type}, and the preprocessing of "
            "ImageNet gives a square"
        )
    return sizes.pop()
