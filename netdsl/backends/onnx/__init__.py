"""From the graph to an ONNX file, without tracing and without torch."""
