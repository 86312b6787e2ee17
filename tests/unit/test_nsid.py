"""Which namespace an id names, while namespaces come and go."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytest

from vlanlink.kernel.netns.nsid import NamespaceIds

if TYPE_CHECKING:
    from vlanlink.kernel.netns.namespaces import Namespaces


class Listed:
    """Namespaces with an id for each other, some of which have gone since they were read."""

    def __init__(self, gone: Callable[[str], Exception], *names: str) -> None:
        self.gone, self.names = gone, names

    def descriptor(self, name: str) -> int:
        return self._there(name)

    def socket(self, name: str) -> "Listed":
        self._there(name)
        return self

    def dump(self, message: bytes) -> list[bytes]:
        """The id is the file that was asked about."""
        return [bytes(20) + b"\x08\0\x01\0" + message[-4:]]

    def _there(self, name: str) -> int:
        if name not in self.names:
            raise self.gone(name)
        return self.names.index(name)


@pytest.mark.parametrize("gone", [FileNotFoundError, ProcessLookupError])
def test_a_namespace_that_has_gone_since_is_passed_over(gone: type[Exception]) -> None:
    ids = NamespaceIds(cast("Namespaces", Listed(gone, "", "a")))
    assert ids.find("", 1, ["ended", "a"]) == "a"
    assert ids.find("ended", 1, ["", "a"]) is None


def test_no_open_file_left_is_an_error() -> None:
    ids = NamespaceIds(cast("Namespaces", Listed(lambda _: OSError(24, "Too many open files"), "")))
    with pytest.raises(OSError, match="Too many open files"):
        ids.find("", 0, ["a"])
