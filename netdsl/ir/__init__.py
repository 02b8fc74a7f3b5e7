"""Floor 1: sizes, tensors and the graph."""
