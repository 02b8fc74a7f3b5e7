"""From the graph to reports: cost, size contract, receptive fields, memory."""
