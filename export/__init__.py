"""From trained torch models to ONNX files and banks, with proof that both compute the same."""
