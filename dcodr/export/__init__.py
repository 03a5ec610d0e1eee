"""Export of encoders for other programs: ONNX, TorchScript and safetensors, each with a model card."""
