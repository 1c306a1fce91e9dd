"""Canonical coordinates, stationary points and their stability."""
