"""From a loss to its effective landscape around W = 0."""
