"""From syntax trees to the checked graph: names, evaluation, calls of layers."""

from netdsl.elaborate.given import Written
from netdsl.elaborate.nets import elaborate
from netdsl.elaborate.program import Unit, load_program

__all__ = ["Unit", "Written", "elaborate", "load_program"]
