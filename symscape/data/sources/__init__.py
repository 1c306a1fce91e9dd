"""Where features come from: arrays in memory, files, and stores, all read a few rows at a time."""
