"""Losses: the language in which they are written, and the catalogue, one file each."""
