"""Sums of files. Apart from downloads, which need the network's modules."""

from __future__ import annotations

import hashlib
import os
import pathlib

__all__ = ["calculate_md5", "check_integrity", "check_md5"]

Path = str | pathlib.Path


def calculate_md5(fpath: Path, chunk_size: int = 1 << 20) -> str:
    """Return the MD5 sum of a file."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as stream:
        while chunk := stream.read(chunk_size):
            digest.update(chunk)
    return digest.hexdigest()


def check_md5(fpath: Path, md5: str) -> bool:
    """Return whether a file has this MD5 sum."""
    return md5 == calculate_md5(fpath)


def check_integrity(fpath: Path, md5: str | None = None) -> bool:
    """Return whether a file is there, with this MD5 sum if one is given."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))
