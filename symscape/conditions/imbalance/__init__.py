"""Imbalanced classes: what a rare class gets, and when it is lost."""
