"""SHA-256 of Python's own: ``hashlib`` starts OpenSSL, which takes longer than a small plan."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any


def sha256(data: bytes) -> bytes:
    """The digest of ``data``."""
    digest: bytes = _IMPLEMENTATION(data).digest()
    return digest


def _implementation() -> Callable[[bytes], Any]:
    for module in ("_sha2", "_sha256"):  # of Python 3.12 and later, and of 3.11
        with suppress(ImportError):  # a distribution may leave it out
            return import_module(module).sha256  # type: ignore[no-any-return]
    return import_module("hashlib").sha256  # type: ignore[no-any-return]


_IMPLEMENTATION = _implementation()
