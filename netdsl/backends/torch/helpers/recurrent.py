"""Recurrent layers whose states are those of each sample, [N, layers * directions, hidden]."""

from __future__ import annotations

from torch import Tensor, nn


def turned(states: Tensor) -> Tensor:
    """The states in the order that PyTorch takes them, samples second."""
    return states.transpose(0, 1).contiguous()


class StatefulLSTM(nn.LSTM):
    """`nn.LSTM` that takes and gives states sample by sample: (y, h, c)."""

    def forward(
        self, x: Tensor, h: Tensor | None = None, c: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        start = None if h is None or c is None else (turned(h), turned(c))
        y, (h, c) = super().forward(x, start)
        return y, h.transpose(0, 1), c.transpose(0, 1)


class StatefulGRU(nn.GRU):
    """`nn.GRU` that takes and gives states sample by sample: (y, h)."""

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, h = super().forward(x, None if h is None else turned(h))
        return y, h.transpose(0, 1)


class StatefulRNN(nn.RNN):
    """`nn.RNN` that takes and gives states sample by sample: (y, h)."""

    def forward(self, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, h = super().forward(x, None if h is None else turned(h))
        return y, h.transpose(0, 1)
