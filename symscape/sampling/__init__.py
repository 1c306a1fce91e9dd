"""Losses on samples, and landscapes checked against them in standard errors."""
