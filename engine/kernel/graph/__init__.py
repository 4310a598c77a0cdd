"""The hop of the default path as one ONNX graph, made when a bank is opened; see docs/kernel.md."""
