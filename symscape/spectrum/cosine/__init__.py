"""Losses of cosines: the shell Tr P = 1, and exactly where the representation is isotropic."""
