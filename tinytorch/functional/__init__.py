"""Compositions of ops: what needs no kernel and no node of its own."""
