"""What the host tells the LAN about itself, by mDNS: its own addresses, never the shim's."""

import pytest

import vlanlink
from tests.daemons.system import System
from tests.kernel.lan import Lan
from tests.kernel.living import HOST4, LivingHost
from tests.kernel.world import until

pytestmark = pytest.mark.needs("macvlan")
QUESTION = (
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
    "s.bind(('', 5353)); s.setsockopt(0, 33, 255);"
    "s.setsockopt(0, 32, socket.inet_aton('192.168.77.9'));"
    "s.sendto(bytes(5) + b'\\1' + bytes(6) + b'\\6living\\5local\\0\\0\\xff\\0\\1',"
    " ('224.0.0.251', 5353))"
)


def avahi(system: System, host: LivingHost) -> None:
    system.start_bus()
    words = "avahi-daemon --no-drop-root --no-chroot --no-rlimits --debug"
    system.start(words, "avahi")
    until(lambda: "Server startup complete" in system.log("avahi"), "avahi runs")
    del host


def resolved(system: System, host: LivingHost) -> None:
    system.start_bus()
    system.write("/etc/systemd/resolved.conf.d/mdns.conf", "[Resolve]\nMulticastDNS=yes\n")
    system.run("mkdir -p /run/systemd/resolve")
    system.run("chown systemd-resolve: /run/systemd/resolve")
    words = "env SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-resolved"
    system.start(words, "resolved")
    until(lambda: system.run("resolvectl mdns", check=False).returncode == 0, "resolved runs")
    for link in sorted(host.world.names() - {"lo"}):
        system.run(f"resolvectl mdns {link} yes")


PUBLISHERS = {"avahi": avahi, "resolved": resolved}


@pytest.mark.parametrize("name", PUBLISHERS)
@pytest.mark.parametrize("hidden", [True, False], ids=["ours", "as any other link"])
def test_the_shims_address_is_not_published(
    lan: Lan, system: System, name: str, hidden: bool
) -> None:
    host = LivingHost(lan)
    vlanlink.up(host.topology())
    (shim,) = (link for link in host.world.names() if link.startswith("sh-"))
    (own,) = host.world.addresses(shim)
    if not hidden:  # the judge sees what a link with multicast publishes
        host.world.ip(f"link set {shim} multicast on")
    heard = lan.capture("station", "eth0", "udp port 5353")
    PUBLISHERS[name](system, host)

    def answered() -> bool:
        host.world.run(["python3", "-c", QUESTION], "station")
        return f"A {HOST4}" in heard.text()

    until(answered, "the host says its address")
    address = own.split("/")[0]
    if hidden:
        assert address not in heard.text()
    else:
        heard.saw(f"A {address}")
    vlanlink.down("home")
    host.is_whole()
