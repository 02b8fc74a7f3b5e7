"""Floor 5: from the graph to other languages."""
