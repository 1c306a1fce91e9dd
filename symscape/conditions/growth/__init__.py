"""Gradient flow near the origin: rates, order and times of learning."""
