"""A landscape against the sampled loss, in standard errors."""
