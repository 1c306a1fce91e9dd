"""Losses over pairs of rows, with gradient and influence, in tiles: no N x N array, and exact at every temperature."""
