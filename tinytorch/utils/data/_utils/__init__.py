"""The parts of a DataLoader: collation, fetching, workers and what they send."""
