"""Any expression of the language on a batch of views: compiled once to array operations, with gradient and influence."""
