"""Test help: the text of a small plug-in, a layer that doubles what comes in."""

from __future__ import annotations

HEAD = "from dataclasses import dataclass\nfrom typing import ClassVar\nfrom netdsl.ops import *\n"


def twice(name: str = "twice", infer: str = "return inputs", **extra: str) -> str:
    doc = extra.get("doc", '"""2 * x.\n\n    twice: [3] -> [3]\n    """')
    return (
        f"class Twice(Op):\n    {doc}\n    name: ClassVar[str] = '{name}'\n"
        f"    family: ClassVar[str] = 'mine'\n{extra.get('fields', '')}"
        f"    def infer(self, inputs, rules):\n        {infer}\n"
        f"    def torch(self, inputs, outputs):\n"
        f"        return {extra.get('torch', 'TorchCall(`torch.add`, (In(0), In(0)))'.replace('`', chr(39)))}\n"
    )


NET_OF_TWICE = "net A { input x: [3, 8, 8]\n output y = x -> twice }"
