"""PyTorch modules: made without numbers, traced in training and inference, read by a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdsl.importers.frontend import Answer, Question, refused
from netdsl.importers.torch.sources import asked

if TYPE_CHECKING:
    from torch import nn


def read(question: Question) -> Answer:
    """The program of `package.module:make(10)` or `file.py:Net`. Raises `DiagnosticError`."""
    from netdsl.importers.torch.missing import with_declared
    from netdsl.importers.torch.reading import answer

    one = asked(question.source)
    if question.settings:
        name = next(iter(question.settings))
        raise refused(
            f"`{name}` can't be set from outside",
            one.span,
            help=f"write it as an argument: `{one.place}:{one.name}({name}=...)`",
        )
    return answer(with_declared(one.factory), one.title, question, one.span)


def from_module(module: nn.Module, inputs: Any = None) -> Answer:
    """The program of a module, and its numbers. Raises `DiagnosticError`.

    `inputs` are example tensors, or shapes without the batch (`(3, "H", "W")`): one, several, or
    a dictionary by the names of the parameters of `forward`.
    """
    from netdsl.importers.torch.reading import answer_of

    return answer_of(module, inputs)


__all__ = ["from_module", "read"]
