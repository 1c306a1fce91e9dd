"""Exact landscapes for Gaussian data, their minimisers, and what a truncation gets wrong."""
