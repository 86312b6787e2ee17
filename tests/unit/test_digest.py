"""The digest is SHA-256, whichever module has it."""

import hashlib
from importlib import import_module
from typing import Any

import pytest

from vlanlink import digest


def test_it_is_sha_256() -> None:
    assert digest.sha256(b"eth0") == hashlib.sha256(b"eth0").digest()


def test_a_python_without_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some distributions build none, so that all digests are OpenSSL's."""

    def imported(name: str) -> Any:
        if name.startswith("_"):
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr(digest, "import_module", imported)
    assert digest._implementation() is hashlib.sha256
