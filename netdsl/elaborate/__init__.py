"""Floor 3: from syntax trees to the checked graph."""

from netdsl.elaborate.nets import elaborate
from netdsl.elaborate.program import Unit, load_program
from netdsl.elaborate.written import Written

__all__ = ["Unit", "Written", "elaborate", "load_program"]
