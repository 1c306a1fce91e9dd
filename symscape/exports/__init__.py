"""Landscapes as standalone modules of source code."""
