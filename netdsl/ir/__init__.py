"""Exact sizes and conditions on them, tensor types, and the graph."""
