"""What will collapse, before training: the report on features of two views, and what to change."""
