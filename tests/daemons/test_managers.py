"""The host's own network is sacred, beside the real managers: each event times each verb."""

import platform
from pathlib import Path

import pytest

import vlanlink
from tests.daemons.clients import Dhclient, Dhcpcd, Udhcpc
from tests.daemons.host import DaemonHost
from tests.daemons.managers import Manager
from tests.daemons.network_manager import NetworkManager
from tests.daemons.networkd import Networkd
from tests.daemons.system import System
from tests.kernel.debian import inside
from tests.kernel.judge import differences
from tests.kernel.lan import Lan
from tests.kernel.living_verbs import SOON, VERBS, keeps_what_it_has
from tests.kernel.recorded import Recording
from tests.kernel.watching import watching
from tests.kernel.world import until

pytestmark = pytest.mark.needs("macvlan", "nat")
MANAGERS: tuple[type[Manager], ...] = (Networkd, NetworkManager, Dhclient, Udhcpc, Dhcpcd)
DAYS = [
    pytest.param(kind, event, verb, id=f"{kind.__name__} {event}, {verb}")
    for kind in MANAGERS
    for event, happening in kind.events.items()
    for verb in (VERBS if not happening.slow else ("meanwhile", "watch"))
]


@pytest.mark.parametrize(("kind", "event", "verb"), DAYS)
def test_beside_a_real_manager(
    lan: Lan, system: System, kind: type[Manager], event: str, verb: str
) -> None:
    host = DaemonHost(lan, system=system, kind=kind)
    keeps_what_it_has(host, host.event(event), verb)


@pytest.mark.parametrize("kind", MANAGERS)
def test_down_leaves_a_nic_that_a_real_manager_has_configured_since(
    lan: Lan, system: System, kind: type[Manager]
) -> None:
    """It was down before the topology came up, as while a host boots."""
    host = DaemonHost(lan, system=system, kind=kind, late=True)
    vlanlink.up(host.topology())
    host.manager.start()
    host.settles()
    host.is_whole()
    before = host.network()
    (note,) = vlanlink.down("home").notes
    assert note.severity == "warning"
    assert f"eth0 was down before and stays up: it is in use ({host.address}/24" in note.message
    host.is_whole()
    assert differences(before, host.network()) == []


@pytest.mark.parametrize(
    ("kind", "event"), [(kind, event) for kind in MANAGERS for event in kind.events]
)
def test_record(
    lan: Lan, system: System, kind: type[Manager], event: str, recordings: Path | None
) -> None:
    """What a manager does by itself, for tests that do it again."""
    if recordings is None:
        pytest.skip("recordings are made with --record")
    host = DaemonHost(lan, system=system, kind=kind)
    happening = host.event(event)
    happening.begins(host)
    host.recorder.mark()
    happening.ends(host)
    host.recorder.mark()
    start, begins, ends, _ = host.recorder.sections()
    recording = Recording(f"{kind.__name__}: {event}", start, begins, ends)
    heading = f"# {system.version(kind.package)} on Linux {platform.release()}\n"
    recording.file(recordings).write_text(heading + recording.text())


@pytest.mark.parametrize("verb", ["up", "watch"])
def test_networking_off_and_on_is_mended(lan: Lan, system: System, verb: str) -> None:
    """NetworkManager empties a shim that nobody has set apart."""
    host = DaemonHost(lan, system=system, kind=NetworkManager)
    topology = host.topology()

    def off_and_on() -> None:
        system.run("nmcli networking off", check=False)  # it waits for the shim, in vain
        host.manager.loses()
        system.run("nmcli networking on")
        host.settles()

    if verb == "watch":
        with watching(topology, SOON) as events:
            off_and_on()
            until(lambda: vlanlink.status(topology).state == "up", f"in sync: {events}")
            host.joins_its_endpoints()
    else:
        vlanlink.up(topology)
        off_and_on()
        assert vlanlink.status(topology).state == "drifted"
        vlanlink.up(topology)
        host.joins_its_endpoints()
    vlanlink.down("home")
    host.is_whole()


def test_networking_off_spares_a_shim_that_doctor_has_set_apart(lan: Lan, system: System) -> None:
    """NetworkManager takes addresses and routes from every link that it knows, ours too."""
    host = DaemonHost(lan, system=system, kind=NetworkManager)
    topology = host.topology()
    vlanlink.up(topology)
    (found,) = (one for one in vlanlink.doctor().findings if one.code == "managed-by-another")
    assert "NetworkManager" in found.what
    system.world.run(inside(["sh", "-ec", found.command or ""]))
    (shim,) = (name for name in host.world.names() if name.startswith("sh-"))
    until(lambda: "unmanaged" in system.run(f"nmcli -g GENERAL.STATE device show {shim}").stdout)
    system.run("nmcli networking off")
    host.manager.loses()
    system.run("nmcli networking on")
    host.settles()
    host.joins_its_endpoints()
    assert vlanlink.status(topology).state == "up"
    vlanlink.down("home")
    host.is_whole()
