"""Losses that see a batch through d1 x d1 matrices and through each row: no array is N x N."""
