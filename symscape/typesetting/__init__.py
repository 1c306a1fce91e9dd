"""Polynomials in words as SymPy expressions, LaTeX and plain text."""
