"""Derivations that prove what they say: claims, their verdicts, and how they are found, run and typeset."""
