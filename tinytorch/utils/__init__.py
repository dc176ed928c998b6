"""Tools around the library: data loading, checkpointing, trees of tensors."""
