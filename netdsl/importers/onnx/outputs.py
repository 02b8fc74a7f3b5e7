"""What flows out of a graph, its batch first."""

from __future__ import annotations

from netdsl.importers.frontend import refused
from netdsl.importers.onnx.inputs import word_of
from netdsl.importers.onnx.model import Model, Port, shown
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data
from netdsl.importers.program import Output


def outputs_of(model: Model, to: Reader) -> list[Output]:
    """The outputs of the program."""
    if not model.outputs:
        raise refused("nothing flows out of the graph", model.origin, code="no-output")
    taken: set[str] = set()
    return [_output(port, to, taken) for port in model.outputs]


def _output(port: Port, to: Reader, taken: set[str]) -> Output:
    thing = to.things.get(port.name)
    if thing is None:
        message = f"nothing computes the output `{shown(port.name)}`"
        raise refused(message, port.origin, code="unknown-name")
    if not isinstance(thing, Data):
        raise refused(
            f"the output `{shown(port.name)}` does not depend on what flows in, "
            "so it is the same for all samples",
            port.origin,
            code="weight-without-batch",
        )
    if not thing.is_plain:
        group = thing.groups[thing.batch]
        where = f"in axis {thing.batch}" if thing.batch else "merged into axis 0"
        where = where if group == (B,) else f"merged into axis {thing.batch}"
        to.remarks.setdefault(
            f"output `{shown(port.name)}` has its batch {where} in the file; here it is axis 0, "
            "as always"
        )
    name, number = word_of(port.name), 1
    while name in taken:
        number += 1
        name = f"{word_of(port.name)}_{number}"
    taken.add(name)
    return Output(name, thing.value, port.origin)
