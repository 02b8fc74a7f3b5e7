"""From syntax trees to the checked graph: names, evaluation, calls of layers."""

from netdsl.elaborate.nets import elaborate
from netdsl.elaborate.program import Unit, load_program
from netdsl.elaborate.written import Written

__all__ = ["Unit", "Written", "elaborate", "load_program"]
