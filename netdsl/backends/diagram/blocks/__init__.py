"""Units in rows: blocks and layers, the operators of an ONNX file."""
