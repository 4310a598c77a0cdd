"""Vocoders trained elsewhere become decoders of this engine: BigVGAN and Vocos, from their checkpoints to ONNX."""
