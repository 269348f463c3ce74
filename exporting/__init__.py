"""Trained policies and modules for use without ppoc: ONNX, torch, a model hub, one plain file."""
