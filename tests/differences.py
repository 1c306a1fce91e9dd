"""Gradients by central differences, exact for landscapes of order 4."""

from collections.abc import Callable

import numpy as np


def assert_gradient(value: Callable, gradient: np.ndarray, W: np.ndarray) -> None:
    """Assert a gradient by central differences; with steps h and 2h they are exact for a polynomial of degree 4."""
    for place in np.ndindex(W.shape):
        h = np.zeros_like(W)
        h[place] = 0.5
        slope = (8 * (value(W + h) - value(W - h)) - (value(W + 2 * h) - value(W - 2 * h))) / 6
        assert abs(gradient[place] - slope) <= 1e-11 * max(1, abs(slope)), f"{place}: {gradient[place]} for {slope}"
