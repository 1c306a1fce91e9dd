"""Losses that count outputs apart, minimised over rotations of the outputs."""
