"""Graph to graph: what changes a checked network, a function a file."""
