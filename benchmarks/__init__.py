"""Timing against PyTorch; see README.md beside this file."""
