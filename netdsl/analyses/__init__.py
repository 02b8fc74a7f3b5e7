"""Floor 4: from the graph to reports."""
