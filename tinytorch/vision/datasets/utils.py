"""Download, check and unpack files.

A download goes to ``<name>.part``, is taken up again where it broke off, is checked,
and only then gets its name: what has the name is complete.
"""

from __future__ import annotations

import gzip
import http.client
import os
import pathlib
import shutil
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable
from typing import Any

from tinytorch.vision.datasets._integrity import (
    calculate_md5,
    check_integrity,
    check_md5,
)

__all__ = [
    "calculate_md5",
    "check_integrity",
    "check_md5",
    "download_and_extract_archive",
    "download_from_mirrors",
    "download_url",
    "extract_archive",
    "list_dir",
    "list_files",
]

Path = str | pathlib.Path

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3
_CHUNK = 1 << 18
_AGENT = "tinytorch/vision"
_NETWORK = (urllib.error.URLError, http.client.HTTPException, OSError)


# ---- download ----


class _Progress:
    """A bar on stderr: tqdm's if it is installed, else a line with the share done."""

    def __init__(self, name: str, done: int, total: int | None) -> None:
        self._name, self._done, self._total = name, done, total
        self._shown = 0.0
        self._bar: Any = None
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped]
        except ImportError:
            return
        self._bar = tqdm(
            desc=name, initial=done, total=total, unit="B", unit_scale=True
        )

    def add(self, count: int) -> None:
        """Count bytes that have arrived."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._shown > 0.5:
            self._shown = time.monotonic()
            self._show("\r")

    def _show(self, begin: str, end: str = "") -> None:
        share = f" {100 * self._done // self._total:3d} %" if self._total else ""
        line = f"{begin}{self._name}{share} {self._done / 1e6:.1f} MB{end}"
        sys.stderr.write(line)
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the last state standing."""
        if self._bar is not None:
            self._bar.close()
        else:
            self._show("\r", "\n")


def _fetch(url: str, part: pathlib.Path) -> None:
    """Read a URL into a file, from the file's end on if the server allows it."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": _AGENT}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()  # it is the answer, with its connection
        if error.code == 416 and have:  # there is nothing after what we have
            return
        raise
    with response:
        if have and response.status != 206:
            have = 0  # the server began at the start
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        progress = _Progress(os.path.basename(url), have, total)
        try:
            with open(part, "ab" if have else "wb") as stream:
                while chunk := response.read(_CHUNK):
                    stream.write(chunk)
                    have += len(chunk)
                    progress.add(len(chunk))
        finally:
            progress.close()
    if total is not None and have != total:
        raise http.client.IncompleteRead(b"", total - have)


def download_url(
    url: str,
    root: Path,
    filename: Path | None = None,
    md5: str | None = None,
    max_redirect_hops: int = 3,
) -> None:
    """Download a file, unless it is there and has the right sum.

    Args:
        url: From where.
        root: The folder to put it in.
        filename: Its name there; default: that in the URL.
        md5: The sum that it must have.
        max_redirect_hops: Accepted for old programs; redirections are followed.
    """
    target = pathlib.Path(root).expanduser() / (filename or os.path.basename(url))
    if check_integrity(target, md5):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _fetch(url, part)
            if md5 is None or check_md5(part, md5):
                break
            part.unlink()
            raise RuntimeError(f"{url}: the file is damaged: its MD5 sum is not {md5}")
        except urllib.error.HTTPError:
            raise  # the server has answered, and will answer the same again
        except (*_NETWORK, RuntimeError):
            if attempt == ATTEMPTS:
                raise
    os.replace(part, target)


def download_from_mirrors(
    mirrors: Iterable[str], filename: str, root: Path, md5: str | None = None
) -> None:
    """Download a file from the first mirror that has it.

    Raises:
        RuntimeError: None had; the message lists the reasons and what to do.
    """
    reasons = []
    for mirror in mirrors:
        url = mirror + filename
        try:
            download_url(url, root, filename, md5)
            return
        except (*_NETWORK, RuntimeError) as error:
            reasons.append(f"  {url}: {error}")
    raise RuntimeError(
        f"Error downloading {filename}:\n" + "\n".join(reasons) + "\n"
        "Is there a network connection (and a proxy, in HTTPS_PROXY)? The file can "
        f"also be put into {os.fspath(root)} by hand."
    )


# ---- archives ----


def _inside(folder: pathlib.Path, name: str) -> pathlib.Path:
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise RuntimeError(f"archive: {name!r} leads out of the folder")
    return target


def extract_archive(
    from_path: Path, to_path: Path | None = None, remove_finished: bool = False
) -> Path:
    """Unpack .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz, .zip or .gz.

    Returns:
        The folder, or for a .gz the file.
    """
    source = pathlib.Path(from_path)
    folder = pathlib.Path(to_path) if to_path is not None else source.parent
    folder.mkdir(parents=True, exist_ok=True)
    result = folder
    if tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            for member in archive.getmembers():
                _inside(folder, member.name)
                if not (member.isfile() or member.isdir()):
                    raise RuntimeError(f"archive: {member.name!r} is no file")
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter="data")
            else:
                archive.extractall(folder)
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as packed:
            for name in packed.namelist():
                _inside(folder, name)
            packed.extractall(folder)
    elif source.suffix == ".gz":
        result = folder / source.stem
        part = result.with_name(result.name + ".part")
        with gzip.open(source) as packed_stream, open(part, "wb") as stream:
            shutil.copyfileobj(packed_stream, stream)
        os.replace(part, result)
    else:
        raise RuntimeError(f"archive: do not know how to unpack {source.name}")
    if remove_finished:
        source.unlink()
    return result


def download_and_extract_archive(
    url: str,
    download_root: Path,
    extract_root: Path | None = None,
    filename: Path | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """Download an archive and unpack it beside itself or in another folder."""
    name = filename or os.path.basename(url)
    download_url(url, download_root, name, md5)
    archive = pathlib.Path(download_root).expanduser() / name
    extract_archive(archive, extract_root or archive.parent, remove_finished)


def list_dir(root: Path, prefix: bool = False) -> list[str]:
    """Return the folders in a folder, with its path before them if wanted."""
    found = [e.name for e in os.scandir(root) if e.is_dir()]
    return [os.path.join(root, name) for name in found] if prefix else found


def list_files(root: Path, suffix: str, prefix: bool = False) -> list[str]:
    """Return the files in a folder whose names end so."""
    files = [entry.name for entry in os.scandir(root) if entry.is_file()]
    found = [name for name in files if name.endswith(suffix)]
    return [os.path.join(root, name) for name in found] if prefix else found
