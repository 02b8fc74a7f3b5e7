"""PyTorch modules: made without numbers, traced in training and inference, read by a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdsl.importers.frontend import Answer, Question
from netdsl.importers.torch.sources import asked

if TYPE_CHECKING:
    from torch import nn


def read(question: Question) -> Answer:
    """The program of `package.module:make(10)` or `file.py:Net`. Raises `DiagnosticError`."""
    from netdsl.importers.torch.missing import with_declared
    from netdsl.importers.torch.reading import answer

    one = asked(question.source)
    return answer(with_declared(one.factory), one.title, question, one.span)


def from_module(module: nn.Module, inputs: Any = None, **keywords: Any) -> Answer:
    """The program of a module, and its numbers. Raises `DiagnosticError`."""
    from netdsl.importers.torch.reading import answer_of

    return answer_of(module, inputs, keywords)


__all__ = ["from_module", "read"]
