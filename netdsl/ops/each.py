"""The ends of `each { ... }`: the items of axis 0 join the batch, and come back as an axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from netdsl.ir.condition import equal
from netdsl.ir.dim import Size
from netdsl.ops.base import Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads
from netdsl.ops.facts import Storage, Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import SYMBOLIC_SIZE, param
from netdsl.ops.recipe import Code, In, TorchCall, TorchRecipe


class _EndOfEach(Op):
    """What both ends share: elements keep their order in memory."""

    family: ClassVar[str] = "plumbing"
    work: ClassVar[Work] = Work.MOVES
    changes_items: ClassVar[bool] = True
    takes_weights: ClassVar[bool] = True

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        """Of one sample all is as it lies, unless items of items come into the batch."""
        is_nested = len(outputs[0].items) > len(inputs[0].items) > 0
        return Storage.RESHAPED if is_nested else Storage.VIEW

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows | None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        """An item is an index in front, on both sides."""
        return [(0, wanted)]


@dataclass(frozen=True)
class Apart(_EndOfEach):
    """Each item of axis 0 by itself: [T, 3, H, W] becomes T times [3, H, W]."""

    keyword: ClassVar[str] = "each"
    title: ClassVar[str] = "each"

    count: Size = param(SYMBOLIC_SIZE, "how many items there are", told=None)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        if not x.rank:
            rules.refuse("in", f"`each` takes the items of axis 0, and {x} has no axis")
        if not x.batched:
            rules.refuse(
                "in",
                "a table does not flow into `each`: it is the same for every item",
                code="weight-without-batch",
                help="name it inside the braces",
            )
        rules.require(
            equal(self.count, x.shape[0]),
            "in",
            "`each` takes equally many items of all values, and axis 0 is "
            f"{self.count} of the first and {x.shape[0]} of another",
        )
        return (replace(x, shape=x.shape[1:], items=(*x.items, self.count)),)

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        return tuple(range(1, inputs[0].rank))

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchCall(".flatten", (In(0), 0, 1))

    def onnx(self, to: Lowering) -> OnnxValue:
        shape = to.result()
        return to.node("Reshape", [*to.inputs, to.sizes((-1, *shape[1:]))], shape)


class Together(_EndOfEach):
    """The results for all items along axis 0; the second input is what was taken apart."""

    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    keyword: ClassVar[str] = "each"
    title: ClassVar[str] = "together"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x, whole = inputs
        if not x.batched:
            rules.refuse(
                "in",
                f"the body of `each` gives a table, {x}, which is the same for every item",
                code="weight-without-batch",
                help="let it meet an item: `(in, table) -> add`",
            )
        *outer, count = x.items
        assert equal(count, whole.shape[0]) is True
        return (replace(x, shape=(count, *x.shape), items=tuple(outer)),)

    def size_inputs(self) -> frozenset[int]:
        return frozenset({1})

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        return (None, *range(inputs[0].rank))

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchCall(".unflatten", (In(0), 0, Code("{1}.shape[:2]")))

    def onnx(self, to: Lowering) -> OnnxValue:
        shape = to.result()
        return to.node("Reshape", [to.inputs[0], to.sizes((-1, *shape[1:]))], shape)
