"""From syntax trees to the checked graph: names, evaluation, calls of layers."""

from netdsl.elaborate.nets import draft, elaborate
from netdsl.elaborate.program import Unit, load_program
from netdsl.elaborate.stumps import HeardSink
from netdsl.elaborate.written import Written

__all__ = ["HeardSink", "Unit", "Written", "draft", "elaborate", "load_program"]
