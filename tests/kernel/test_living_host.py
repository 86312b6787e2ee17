"""The host's own network is sacred: what happens to its NIC, times what vlanlink does meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.living import EVENTS, HOST4, HOST6, ROUTER, WEB4, WEB6, LivingHost
from tests.kernel.living_verbs import VERBS, keeps_what_it_has
from tests.kernel.recorded import RECORDINGS, RecordedHost, Recording
from tests.kernel.watching import watching
from tests.kernel.world import ended, until
from vlanlink.kernel.monitor import Events
from vlanlink.watcher import Policy
from vlanlink.watcher.loop import WatchLoop

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture
def host(lan: Lan) -> LivingHost:
    """A host that its own manager has configured."""
    return LivingHost(lan)


LEASE = (
    f"addr replace {HOST4}/24 dev eth0 valid_lft 3600 preferred_lft 3600\n"
    f"addr replace {HOST6}/64 dev eth0 valid_lft 3600 preferred_lft 3600 nodad\n"
    f"route replace default via {ROUTER} dev eth0 proto dhcp src {HOST4} metric 100\n"
)
TIDY = "link set lan0 down\nlink set lan0 name eth0\nlink set eth0 up\nlink delete mv0\n"
BUSY = {
    "addresses of the parent and of another NIC": (
        "addr add 192.168.77.50/24 dev eth0\naddr add 10.9.9.9/24 dev eth1\n"
        "addr del 192.168.77.50/24 dev eth0\naddr del 10.9.9.9/24 dev eth1\n"
    ),
    "the parent's lease": f"addr del {HOST4}/24 dev eth0\naddr del {HOST6}/64 dev eth0\n{LEASE}",
    "the parent's name": (
        "link set eth0 down\nlink set eth0 name lan0\n"
        f"link set lan0 name eth0\nlink set eth0 up\n{LEASE}"
    ),
    "links on the parent": (
        "link add mv0 link eth0 type macvlan mode bridge\nlink set mv0 up\nlink delete mv0\n"
    ),
}


@contextmanager
def busy(host: LivingHost, lines: str) -> Iterator[None]:
    """The same lines of `ip -batch` over and over; at the end the host is as at first."""
    Path("/run/busy").write_text(lines)
    loop = "while :; do ip -force -batch /run/busy 2>/dev/null; done"
    process = host.world.start(["bash", "-c", loop])
    try:
        yield
    finally:
        process.kill()
        ended(process)  # when the last ip has ended, too
        host.world.run("ip -force -batch /run/busy", check=False)
        host.world.run(["ip", "-force", "-batch", "-"], stdin=TIDY, check=False)
        host.configure()
        host.is_ready()


def tried(verb: Callable[[], object]) -> bool:
    """Whether a verb refuses on a host that moves; then all of it is rolled back.

    But for a NIC that was down when it was read, and that the host itself sets up again.
    """
    try:
        verb()
    except (vlanlink.ApplyError, vlanlink.ConflictError) as error:
        left = [one for one in error.not_undone if not one.startswith("set eth0 down: ")]
        assert left == []
        return True
    return False


NEEDS = {"firewall of Docker": pytest.mark.needs("nat")}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", [pytest.param(n, marks=NEEDS.get(n, ())) for n in EVENTS])
def test_the_host_keeps_what_it_has(host: LivingHost, name: str, verb: str) -> None:
    keeps_what_it_has(host, EVENTS[name], verb)


RECORDED = [
    pytest.param(recording, verb, id=f"{recording.title}, {verb}")
    for recording in map(Recording.read, sorted(RECORDINGS.glob("*.txt")))
    for verb in (("before", "meanwhile", "watch") if not recording.stays else ("watch",))
]


@pytest.mark.parametrize(("recording", "verb"), RECORDED)
def test_the_host_keeps_what_it_has_as_recorded(lan: Lan, recording: Recording, verb: str) -> None:
    """What real managers did, done again."""
    host = RecordedHost(lan, recording=recording)
    keeps_what_it_has(host, recording.event(), verb)


def test_a_nic_that_was_down_and_is_not_used_goes_down_again(host: LivingHost) -> None:
    host.world.ip("addr flush dev eth0")
    host.set_down()
    before = dump(host.world)
    vlanlink.up(host.topology())
    host.world.reaches("station", WEB4)
    assert vlanlink.down("home").notes == ()
    same(host.world, before)


def test_a_nic_that_stays_up_is_named_with_its_users(host: LivingHost) -> None:
    host.set_down()
    vlanlink.up(host.topology())
    host.set_up()
    (note,) = vlanlink.down("home").notes
    assert note.severity == "warning"
    assert "eth0 was down before and stays up: it is in use (192.168.77.5/24" in note.message
    assert "default via 192.168.77.1 dev eth0" in note.message


def test_a_nic_in_use_stays_up_when_up_is_rolled_back(host: LivingHost) -> None:
    """The NIC comes up, a DHCP client configures it, and then something fails."""
    host.world.ip("addr flush dev eth0")
    host.set_down()

    def cancels(done: int, total: int, text: str) -> bool:
        del total, text
        if done:
            host.set_up()
        return not done

    with pytest.raises(vlanlink.Interrupted) as caught:
        vlanlink.up(host.topology(), on_progress=cancels)
    assert host.world.namespaces() == set()
    host.is_whole()
    (left,) = caught.value.not_undone
    assert "eth0" in left
    assert "in use" in left


def test_watch_does_not_flap_when_the_address_is_away_for_a_moment(
    host: LivingHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[float | None] = []
    step = WatchLoop.step

    def counted(self: WatchLoop, events: Events) -> float | None:
        steps.append(step(self, events))
        return steps[-1]

    monkeypatch.setattr(WatchLoop, "step", counted)
    with watching(host.topology(), Policy(address_seconds=600)) as events:
        for _ in range(3):
            host.lose_lease()
            until(lambda: steps and (steps[-1] or 0) > 1, "the watch waits for the address")
            assert vlanlink.status("home").state == "drifted"
            host.configure()
            until(lambda: steps and steps[-1] is None, "the watch has seen it come back")
        host.joins_its_endpoints()
        assert [event.event for event in events] == ["up"]


@pytest.mark.parametrize("again", [False, True], ids=["it goes", "another comes"])
def test_the_hosts_address_goes_while_up_is_at_work(host: LivingHost, again: bool) -> None:
    """A manager drops a lease: addresses go one by one, and `up` comes in between."""
    done: list[str] = []

    def lose(_done: int, _total: int, text: str) -> None:
        if not done:
            host.lose_lease()
            if again:
                host.configure("192.168.77.6")
        done.append(text)

    vlanlink.up(host.topology(), on_progress=lose)
    assert vlanlink.status("home").state == "up"
    host.world.reaches("", WEB4)
    host.world.reaches("", WEB6)
    routes = host.world.ip("route show table local") + host.world.ip("-6 route show table local")
    shim = [line for line in routes.splitlines() if WEB4 in line or WEB6 in line]
    assert all(("src 192.168.77.6" in line) == again for line in shim if WEB4 in line), shim
    assert vlanlink.up(host.topology()).operations == ()
    vlanlink.down("home")


def test_the_hosts_address_changes_whenever_up_is_at_work(host: LivingHost) -> None:
    before = dump(host.world)
    tries: list[str] = []

    def move(done: int, _total: int, text: str) -> None:
        if done == 0:
            host.lose_lease()
            host.configure(f"192.168.77.{5 + (len(tries) + 1) % 3}")
            tries.append(text)

    with pytest.raises(vlanlink.ApplyError) as caught:
        vlanlink.up(host.topology(), on_progress=move)
    assert len(tries) == 3
    assert "addresses or routes changed meanwhile, 3 times in a row" in str(caught.value)
    assert caught.value.not_undone == ()
    same(host.world, before)


@pytest.mark.parametrize("mends", ["up", "watch"])
def test_the_nics_mtu_is_lowered_and_raised(host: LivingHost, mends: str) -> None:
    """By a lease's option 26, say. The kernel lowers the MTUs of links on it, and raises none."""

    def low_and_high() -> None:
        host.world.ip("link set eth0 mtu 1400")
        host.joins_its_endpoints()
        host.world.ip("link set eth0 mtu 1500")

    if mends == "watch":
        with watching(host.topology()) as events:
            low_and_high()
            until(lambda: host.world.link("eth0", "web")["mtu"] == 1500, f"mended: {events}")
    else:
        vlanlink.up(host.topology())
        low_and_high()
        assert vlanlink.status("home").state == "drifted"
        vlanlink.up(host.topology())
        assert host.world.link("eth0", "web")["mtu"] == 1500
    host.joins_its_endpoints()
    host.is_whole()


def test_the_nic_gets_another_mac(host: LivingHost) -> None:
    vlanlink.up(host.topology())
    host.world.ip("link set eth0 address 02:00:00:00:77:01")
    for there in ("web", "station"):
        host.world.ip("neigh flush all", there)
    assert vlanlink.status("home").state == "up"
    host.joins_its_endpoints()


@pytest.mark.parametrize("what", BUSY)
def test_up_on_a_host_that_never_stands_still(host: LivingHost, what: str, long_run: bool) -> None:
    """A change of the host's network every few ms: it is up, or as before; no run is endless."""
    host.lan.trunk("eth1")
    host.world.ip("link set eth1 up")
    before, topology = dump(host.world), host.topology()
    for _ in range(20 if long_run else 1):
        with busy(host, BUSY[what]):
            refused = tried(lambda: vlanlink.up(topology))
        assert host.world.namespaces() == (set() if refused else {"web"})
        vlanlink.up(topology)
        host.joins_its_endpoints()
        assert vlanlink.up(topology).operations == ()
        with busy(host, BUSY[what]):
            refused = tried(lambda: vlanlink.down("home"))
        if refused:
            vlanlink.down("home")
        same(host.world, before)
