"""The GPU path registers itself here; this package registers nothing yet."""
