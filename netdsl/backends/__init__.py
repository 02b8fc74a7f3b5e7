"""From the graph to PyTorch source, ONNX and pictures; and the weights they take."""
