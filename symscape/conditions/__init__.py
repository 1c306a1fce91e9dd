"""What the geometry says: collapse, thresholds, design, growth, bias, imbalance, and when collapse helps."""
