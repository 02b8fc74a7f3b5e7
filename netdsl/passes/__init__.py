"""From graph to graph: what changes a checked network, one function a file."""
