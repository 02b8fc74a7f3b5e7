"""Floor 1: the text of a file and its tree."""

from netdsl.syntax import ast
from netdsl.syntax.parser import grammar_text, parse

__all__ = ["ast", "grammar_text", "parse"]
