"""An ONNX file run by ONNX Runtime, to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any


def runs_of(path: str) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    """What gives the outputs of a file for arrays in the order of its inputs.

    None where onnxruntime is not installed. Weights that are listed as inputs keep their numbers.
    """
    if find_spec("onnxruntime") is None:
        return None
    sessions: list[Any] = []

    def run(arrays: Sequence[Any]) -> Sequence[Any]:
        if not sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            providers = ["CPUExecutionProvider"]
            sessions.append(onnxruntime.InferenceSession(path, options, providers=providers))
        return _outputs(sessions[0], arrays)

    return run


def _outputs(session: Any, arrays: Sequence[Any]) -> Sequence[Any]:
    """The outputs, by as many samples at a time as the file takes; the last ones are filled up."""
    import numpy

    ports = session.get_inputs()
    count = len(arrays[0])
    fixed = ports[0].shape[0] if ports and ports[0].shape else None
    step = fixed if isinstance(fixed, int) and fixed > 0 else count
    parts: list[Sequence[Any]] = []
    for start in range(0, count, step):
        places = [min(place, count - 1) for place in range(start, start + step)]
        feeds = {port.name: one[places] for port, one in zip(ports, arrays, strict=True)}
        parts.append(session.run(None, feeds))
    return [numpy.concatenate(several)[:count] for several in zip(*parts, strict=True)]
