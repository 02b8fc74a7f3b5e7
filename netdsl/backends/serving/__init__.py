"""What those who serve an ONNX file write by hand, made from the graph and its size contract."""
