"""Losses of released libraries: their constants, their population expressions, their value on a batch."""
