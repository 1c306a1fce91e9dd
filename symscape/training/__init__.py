"""Linear heads, trained on the features with the losses as code runs them: what theory is compared with."""
