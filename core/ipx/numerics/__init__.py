"""Tensors, transforms, metrics, devices: mathematics without components."""
