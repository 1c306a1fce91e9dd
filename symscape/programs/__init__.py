"""Polynomials in words as numeric functions of W."""
