"""Expectations of polynomials in inner products of representations of views, over a choice of data models."""
