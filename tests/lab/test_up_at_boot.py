"""An enabled topology comes up at boot unchanged; disabling it leaves no trace."""

from pathlib import Path

from tests.kernel.world import until
from tests.lab.machine import BOOT_SECONDS, POLL_SECONDS, Machine

TEXT = Path(__file__).with_name("office.toml").read_text().replace("@", "1")
NAMES = ("nginx", "web", "db", "six")
LEFT_OUT = '\nmore.interfaces.eth0.network = "vlan50"\n'


def test_it_is_back_after_a_reboot(host1: Machine) -> None:
    before = host1.dump()
    host1.write("/root/lab.toml", TEXT + LEFT_OUT)
    host1.run("vlanlink enable --now /root/lab.toml")
    names = (*NAMES, "more")
    then = {name: host1.endpoint(name) for name in names}
    host1.reaches("web", "192.168.50.1")

    host1.reboot()
    until(
        lambda: host1.run("systemctl is-active vlanlink@office", check=False).returncode == 0,
        "its unit is active",
        BOOT_SECONDS,
        POLL_SECONDS,
    )
    assert {name: host1.endpoint(name) for name in names} == then
    host1.reaches("web", "192.168.50.1")
    host1.run("vlanlink status office")

    host1.run("vlanlink disable --now office && vlanlink down --forget office")
    host1.is_as(before)
