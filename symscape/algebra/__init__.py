"""Trace words, their polynomials and power series, over exact scalars. Knows nothing of losses or probability."""
