"""Where storages go when a file is loaded: tags of devices and ``map_location``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tinytorch
from tinytorch._core.types import device
from tinytorch.storage import TypedStorage, UntypedStorage, _wrap

__all__ = ["default_restore_location", "location_tag", "register_package"]

Tagger = Callable[[UntypedStorage], str | None]
Restorer = Callable[[UntypedStorage, str], UntypedStorage | None]
_packages: list[tuple[int, Tagger, Restorer]] = []


def register_package(priority: int, tagger: Tagger, deserializer: Restorer) -> None:
    """Add a kind of device.

    Args:
        priority: the lower, the earlier asked.
        tagger: returns the tag of a storage of this kind, else None.
        deserializer: returns a storage put to where the tag says, else None.
    """
    _packages.append((priority, tagger, deserializer))
    _packages.sort(key=lambda package: package[0])


def location_tag(
    storage: UntypedStorage | TypedStorage,
) -> str:
    """Return how a file states where a storage is: ``cpu``, ``cuda:0``, ``meta``."""
    untyped = storage.untyped() if isinstance(storage, TypedStorage) else storage
    for _, tagger, _ in _packages:
        tag = tagger(untyped)
        if tag is not None:
            return tag
    raise RuntimeError(f"don't know how to determine data location of {storage!r}")


def default_restore_location(storage: Any, location: str) -> Any:
    """Put a storage that is in main memory to where a tag says."""
    for _, _, restore in _packages:
        restored = restore(storage, location)
        if restored is not None:
            return restored
    raise RuntimeError(
        "don't know how to restore data location of torch.storage.UntypedStorage "
        f"(tagged with {location})")


def _cpu_tag(storage: UntypedStorage) -> str | None:
    return "cpu" if storage.device.type == "cpu" else None


def _cpu_restore(storage: UntypedStorage, location: str) -> UntypedStorage | None:
    return storage if location == "cpu" else None


def _cuda_tag(storage: UntypedStorage) -> str | None:
    return f"cuda:{storage.device.index}" if storage.is_cuda else None


def _cuda_restore(storage: UntypedStorage, location: str) -> UntypedStorage | None:
    if not location.startswith("cuda"):
        return None
    if not tinytorch.cuda.is_available():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but "
            "torch.cuda.is_available() is False. If you are running on a CPU-only "
            "machine, please use torch.load with map_location=torch.device('cpu') to "
            "map your storages to the CPU.")
    return _wrap(storage._bytes.to(device(location)))


def _meta_tag(storage: UntypedStorage) -> str | None:
    return "meta" if storage.device.type == "meta" else None


def _meta_restore(storage: UntypedStorage, location: str) -> UntypedStorage | None:
    if location != "meta":
        return None
    return _wrap(tinytorch.empty(
        storage.nbytes(), dtype=tinytorch.uint8, device="meta"))


register_package(10, _cpu_tag, _cpu_restore)
register_package(20, _cuda_tag, _cuda_restore)
register_package(22, _meta_tag, _meta_restore)


Restore = Callable[[UntypedStorage, str], UntypedStorage]


def restorer(map_location: Any) -> Restore:
    """Return the function that puts a storage to where `map_location` says."""
    if map_location is None:
        return default_restore_location
    if isinstance(map_location, dict):
        return lambda storage, location: default_restore_location(
            storage, str(map_location.get(location, location)))
    if isinstance(map_location, (str, device)):
        place = str(map_location)
        return lambda storage, location: default_restore_location(storage, place)

    def restore(storage: UntypedStorage, location: str) -> UntypedStorage:
        result = map_location(storage, location)
        if result is None:
            result = default_restore_location(storage, location)
        if isinstance(result, TypedStorage):
            return result.untyped()
        if not isinstance(result, UntypedStorage):
            raise TypeError(
                "map_location must return a storage or None, not "
                f"{type(result).__name__}")
        return result

    return restore
