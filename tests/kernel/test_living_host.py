"""The host's own network is sacred: what happens to its NIC, times what vlanlink does meanwhile."""

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.living import EVENTS, WEB4, WEB6, LivingHost
from tests.kernel.living_verbs import VERBS, keeps_what_it_has
from tests.kernel.recorded import RECORDINGS, RecordedHost, Recording
from tests.kernel.watching import watching
from tests.kernel.world import until
from vlanlink.kernel.monitor import Events
from vlanlink.watcher import Policy
from vlanlink.watcher.loop import WatchLoop

pytestmark = pytest.mark.needs("macvlan")


@pytest.fixture
def host(lan: Lan) -> LivingHost:
    """A host that its own manager has configured."""
    return LivingHost(lan)


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
