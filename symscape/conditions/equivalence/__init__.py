"""Which losses have the same landscape, to an order or to all, up to scale."""
