"""Which links are Wi-Fi stations; the messages are put together by pyroute2's own classes."""

from typing import Any

import pytest
from pyroute2.netlink.generic import ctrlmsg
from pyroute2.netlink.nl80211 import nl80211cmd

from vlanlink.kernel.netlink.nl80211 import wifi_clients

NL80211 = 31


def generic_message(cls: Any, attributes: list[tuple[str, Any]]) -> bytes:
    message = cls()
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data)


def family_message(name: str, number: int) -> bytes:
    rows = [("CTRL_ATTR_FAMILY_ID", number), ("CTRL_ATTR_FAMILY_NAME", name)]
    return generic_message(ctrlmsg, rows)


class Generic:
    """A socket of generic netlink on a machine with some families and links."""

    def __init__(self, families: dict[str, int], links: list[list[tuple[str, Any]]]) -> None:
        self.families = families
        self.links = links

    def dump(self, message: bytearray) -> list[bytes]:
        asked = int.from_bytes(message[4:6], "little")
        assert int.from_bytes(message[6:8], "little") == 0x301, "a request for a dump"
        assert len(message) == int.from_bytes(message[:4], "little")
        if asked == 16:
            assert message[16] == 3, "CTRL_CMD_GETFAMILY"
            return [
                generic_message(
                    ctrlmsg, [("CTRL_ATTR_FAMILY_ID", i), ("CTRL_ATTR_FAMILY_NAME", name)]
                )
                for name, i in self.families.items()
            ]
        assert (asked, message[16]) == (NL80211, 5), "NL80211_CMD_GET_INTERFACE"
        return [generic_message(nl80211cmd, link) for link in self.links]


def wifi_link(index: int, kind: int, *more: tuple[str, Any]) -> list[tuple[str, Any]]:
    return [("NL80211_ATTR_IFINDEX", index), ("NL80211_ATTR_IFTYPE", kind), *more]


def test_a_machine_without_wifi_has_no_stations() -> None:
    assert wifi_clients(Generic({"nlctrl": 16, "ethtool": 20}, [])) == frozenset()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("link", "found"),
    [
        (wifi_link(3, 2), {3}),
        (wifi_link(3, 2, ("NL80211_ATTR_4ADDR", b"\0")), {3}),
        (wifi_link(3, 2, ("NL80211_ATTR_4ADDR", b"\1")), set()),
        (wifi_link(3, 8), {3}),  # a client of Wi-Fi Direct
        (wifi_link(3, 3), set()),  # an access point
        (wifi_link(3, 7), set()),  # a mesh
    ],
)
def test_stations_by_their_type(link: list[tuple[str, Any]], found: set[int]) -> None:
    there = Generic({"nlctrl": 16, "nl80211": NL80211}, [wifi_link(9, 3), link])
    assert wifi_clients(there) == found  # type: ignore[arg-type]
