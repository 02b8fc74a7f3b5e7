"""The text of a file and its tree: the parser, and the way back to text."""

from netdsl.syntax import ast
from netdsl.syntax.parser import grammar_text, parse

__all__ = ["ast", "grammar_text", "parse"]
