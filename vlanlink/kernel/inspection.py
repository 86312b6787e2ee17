"""Facts for `doctor` beyond a snapshot: drivers, modules, firmware, other network managers.

Read only. Unreadable facts are omitted, so an unprivileged user sees the rest. Only the parts of
/sys that don't depend on the network namespace are read.
"""

import array
import configparser
import errno
import fcntl
import http.client
import json
import os
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path

from vlanlink.dataclass import dataclass
from vlanlink.kernel.facts import DockerNetwork, MachineFacts, Manager, Nic, Presence
from vlanlink.kernel.features import missing_capabilities, release
from vlanlink.kernel.modules import LOADED, MODULES, presence
from vlanlink.kernel.netlink.encode import bare_link
from vlanlink.kernel.netlink.socket import Socket
from vlanlink.kernel.netns.namespaces import Namespaces
from vlanlink.kernel.policy import read_policy
from vlanlink.kinds import KINDS
from vlanlink.model import HOST, Link, State

DOCKER_SECONDS = 2.0
"""Timeout of requests to Docker's daemon."""

_SIOCGIFFLAGS, _SIOCETHTOOL = 0x8913, 0x8946
_ETHTOOL_GDRVINFO = 3
_DRVINFO = struct.Struct("=I32s32s32s32s32s12sIIIII")
_IFF_PROMISC = 0x100


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of other programs' state, overridable in tests."""

    network_manager: Path = Path("/run/NetworkManager/devices")
    networkd: Path = Path("/run/systemd/netif/links")
    docker: Path = Path("/run/docker.sock")
    firmware: Path = Path("/sys/class/dmi/id")
    modules: Path = MODULES
    loaded: Path = LOADED
    pci: Path = Path("/sys/bus/pci/devices")


def facts(namespaces: Namespaces, state: State, identity: str, *, own: bool) -> MachineFacts:
    """All facts; ``own``: the host's namespace is the one that the machine's programs run in.

    ``identity`` is the machine-id. Raises OSError.
    """
    places = Places()
    found = kinds(places, namespaces.in_new_namespace)
    namespaces.enter(HOST)
    return MachineFacts(
        state=state,
        kernel=release(),
        root=os.geteuid() == 0,
        missing_capabilities=missing_capabilities(),
        kinds=found,
        nics=nics(state.host.links.values(), places, managed=own),
        vendor=vendor(places),
        docker=docker_networks(places) if own else (),
        identity=identity,
        policy=read_policy(),
    )


# -- links -----------------------------------------------------------------------------------------


def nics(links: Iterable[Link], places: Places, *, managed: bool) -> dict[str, Nic]:
    """Facts about the links of the calling thread's namespace that netlink doesn't provide.

    ``managed``: the machine's network managers work in this namespace.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        return {link.name: _nic(probe, link, places, managed=managed) for link in links}


def _nic(probe: socket.socket, link: Link, places: Places, *, managed: bool) -> Nic:
    driver, bus = _driver(probe, link.name)
    return Nic(
        driver=driver,
        virtual_function=bool(bus) and (places.pci / bus / "physfn").exists(),
        promiscuous=bool(_flags(probe, link.name) & _IFF_PROMISC),
        managers=_managers(link.index, places) if managed else (),
    )


def _driver(probe: socket.socket, name: str) -> tuple[str, str]:
    """Driver and bus address of a link, as in `ethtool -i`."""
    answer = array.array("B", _DRVINFO.pack(_ETHTOOL_GDRVINFO, *[b""] * 6, *[0] * 5))
    address, _ = answer.buffer_info()
    try:
        fcntl.ioctl(probe, _SIOCETHTOOL, struct.pack("16sP8x", name.encode(), address))
    except OSError:
        return "", ""
    _, driver, _, _, bus, *_ = _DRVINFO.unpack(answer)
    return _text(driver), _text(bus)


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode(errors="replace")


def _flags(probe: socket.socket, name: str) -> int:
    try:
        answer = fcntl.ioctl(probe, _SIOCGIFFLAGS, struct.pack("16sH22x", name.encode(), 0))
    except OSError:
        return 0
    flags: int = struct.unpack_from("H", answer, 16)[0]
    return flags


def _managers(index: int, places: Places) -> tuple[Manager, ...]:
    """Managers of a link, from the state files that they keep."""
    found: list[Manager] = []
    if _keys(places.network_manager / str(index)).get("managed") == "true":
        found.append("NetworkManager")
    if _keys(places.networkd / str(index)).get("network_file"):
        found.append("systemd-networkd")
    return tuple(found)


def _keys(path: Path) -> Mapping[str, str]:
    """Keys of a KEY=VALUE file, with or without sections; none if it can't be read."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string("[top]\n" + path.read_text())
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    return {key: value for section in parser.sections() for key, value in parser[section].items()}


# -- the machine -----------------------------------------------------------------------------------


def vendor(places: Places) -> str:
    """Vendor and product name of the machine (SMBIOS); empty without firmware."""
    words = []
    for name in ("sys_vendor", "product_name"):
        try:
            words.append((places.firmware / name).read_text().strip())
        except OSError:
            continue
    return " ".join(words)


def kinds(
    places: Places, in_new_namespace: Callable[[Callable[[], None]], None]
) -> dict[str, Presence]:
    """Availability of each link kind. Loads no module.

    If neither /sys/module nor the module files list a kind, there is no module to load, so the
    kernel itself is queried, which takes privilege.
    """
    found: dict[str, Presence] = {}
    for kind in KINDS.values():
        if known := presence(kind.module, places.modules, places.loaded):
            found[kind.name] = known
    rest = KINDS.keys() - found.keys()
    if rest:
        with suppress(PermissionError):
            in_new_namespace(lambda: found.update({name: _requested(name) for name in rest}))
    return found


def _requested(kind: str) -> Presence:
    """Request a link with nothing but its kind: only an unknown kind is "unsupported"."""
    with closing(Socket()) as rtnetlink:
        refusal = rtnetlink.request([bare_link(kind)])[0]
    if refusal is None or refusal.errno not in (errno.EOPNOTSUPP, errno.EPERM):
        return "there"
    return "missing" if refusal.errno == errno.EOPNOTSUPP else "unknown"


# -- Docker ----------------------------------------------------------------------------------------


class _Daemon(http.client.HTTPConnection):
    """HTTP over the daemon's socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=DOCKER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def docker_networks(places: Places) -> tuple[DockerNetwork, ...]:
    """Docker networks with a parent; none if its daemon doesn't answer."""
    with closing(_Daemon(places.docker)) as daemon:
        try:
            daemon.request("GET", "/networks")
            rows = json.load(daemon.getresponse())
            return tuple(_network(row) for row in rows if (row.get("Options") or {}).get("parent"))
        except (
            OSError,
            http.client.HTTPException,
            ValueError,
            AttributeError,
            KeyError,
            TypeError,
        ):
            return ()


def _network(row: Mapping[str, object]) -> DockerNetwork:
    options = row["Options"]
    assert isinstance(options, dict)
    kind = str(row["Driver"])
    own = {key.removeprefix(f"{kind}_"): value for key, value in options.items()}
    chosen = {key: own[key] for key in ("mode", "flag") if key in own}
    return DockerNetwork(str(row["Name"]), kind, str(options["parent"]), chosen)
