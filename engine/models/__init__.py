"""Growth models in ONNX Runtime, and what the engine asks of them."""
