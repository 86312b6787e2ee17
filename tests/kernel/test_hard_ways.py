"""Ways in which a run, a file or a machine can be odd, found by reading the code as a stranger."""

import errno
import os
import signal
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.judge import dump, same
from tests.kernel.lan import Lan
from tests.kernel.topologies import small
from tests.kernel.world import ended
from vlanlink.cli.main import main
from vlanlink.kernel.execution import Execution
from vlanlink.kernel.machine import Machine
from vlanlink.model import State
from vlanlink.planning.operations import MakeNamespace

pytestmark = pytest.mark.needs("macvlan")

FILE = "/run/odd.toml"
TOPOLOGY = small("odd", one="172.16.86.10")


def load(text: str = TOPOLOGY, file: str = FILE) -> vlanlink.Topology:
    return vlanlink.load(file, text=text)


def test_a_sysctl_that_was_empty_is_empty_again(lan: Lan) -> None:
    ports = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
    assert ports.read_text().strip() == ""
    text = '\n[host]\nsysctls = { "net.ipv4.ip_local_reserved_ports" = "1-3" }\n'
    vlanlink.up(load(TOPOLOGY + text))
    assert ports.read_text().strip() == "1-3"
    vlanlink.down("odd")
    assert ports.read_text().strip() == ""
    assert lan.world.namespaces() == set()


def test_what_cannot_be_read_back_is_undone(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dump after the work is interrupted each time; the one that undo asks for is not."""
    before = dump(lan.world)
    real, calls = Machine.snapshot, 0

    def snapshot(machine: Machine, touched: frozenset[str] | None = None) -> State:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.EINTR, "the kernel's tables changed during each attempt")
        return real(machine, touched)

    monkeypatch.setattr(Machine, "snapshot", snapshot)
    with pytest.raises(vlanlink.ApplyError, match="can't be read back") as caught:
        vlanlink.up(load())
    assert caught.value.not_undone == ()
    same(lan.world, before)
    assert not list(Path("/run/vlanlink").glob("odd*"))


def test_a_name_that_a_kill_left_without_namespace_goes(lan: Lan) -> None:
    vlanlink.up(load())
    lan.world.unmount("/run/netns/one")
    assert Path("/run/netns/one").exists(), "a dead file"
    assert vlanlink.up(load()).changes, "the record says that the name is ours"
    lan.world.unmount("/run/netns/one")
    vlanlink.down(load())
    assert list(Path("/run/netns").iterdir()) == []


def test_the_same_file_is_known_from_anywhere_and_another_is_not(
    lan: Lan, monkeypatch: pytest.MonkeyPatch
) -> None:
    del lan
    for name in ("a", "b"):
        Path(f"/run/{name}").mkdir()
        Path(f"/run/{name}/odd.toml").write_text(TOPOLOGY)
    monkeypatch.chdir("/run/a")
    vlanlink.up(vlanlink.load("odd.toml"))
    monkeypatch.chdir("/run/b")
    for verb in (vlanlink.plan, vlanlink.up):
        with pytest.raises(vlanlink.ConflictError, match=r"up already, from /run/a/odd\.toml"):
            verb(vlanlink.load("odd.toml"))
    assert vlanlink.up(vlanlink.load("../a/odd.toml")).operations == ()


def test_replace_goes_on_from_another_file(lan: Lan) -> None:
    del lan
    for file in ("/run/a.toml", "/run/b.toml"):
        Path(file).write_text(TOPOLOGY)
    assert main(["up", "/run/a.toml"]) == 0
    assert main(["up", "/run/b.toml"]) == 1
    assert main(["up", "--replace", "--dry-run", "/run/b.toml"]) == 0
    assert main(["up", "--replace", "/run/b.toml"]) == 0
    assert main(["up", "/run/a.toml"]) == 1


def test_an_enabled_topology_is_known_before_it_is_up(lan: Lan) -> None:
    del lan
    host = vlanlink.Host(configuration_directory=Path("/run/etc"))
    with pytest.raises(vlanlink.UsageError):
        vlanlink.status("odd", host)
    with pytest.raises(vlanlink.UsageError):
        vlanlink.down("odd", host)
    Path("/run/etc").mkdir()
    Path("/run/etc/odd.toml").write_text(TOPOLOGY)
    found = vlanlink.status("odd", host)
    assert (found.state, len(found.plan.changes)) == ("down", 3)
    assert vlanlink.down("odd", host).changes == ()


def test_status_in_odd_states(lan: Lan) -> None:
    vlanlink.up(load())
    process = lan.world.start("sleep 1000", "one")
    notes = vlanlink.down("odd").notes
    assert f"pid {process.pid}" in str(notes[0])
    assert vlanlink.status("odd").state == "down", "what stays is not up"
    process.kill()
    ended(process)
    vlanlink.down("odd")
    assert lan.world.namespaces() == set()
    lan.world.ip("link del eth0")
    status = vlanlink.status(load())
    assert status.state == "down"
    assert "parent eth0 does not exist" in str(status.problems[0])


def test_files_that_cannot_be_written_change_nothing(lan: Lan) -> None:
    before = dump(lan.world)
    Path("/run/vlanlink").write_text("")
    for verb in (vlanlink.up, vlanlink.down):
        with pytest.raises(vlanlink.ConflictError, match="can't use /run/vlanlink"):
            verb(load())
    Path("/run/vlanlink").unlink()
    Path("/var/lib/vlanlink").write_text("")
    left_out = TOPOLOGY.replace('addresses = ["172.16.86.10"]\n', "")
    with pytest.raises(vlanlink.ConflictError, match="can't write"):
        vlanlink.up(load(left_out))
    assert list(Path("/run/vlanlink").glob("*.json")) == []
    same(lan.world, before)


def test_a_mark_that_nobody_knows_breaks_nothing(
    lan: Lan, capsys: pytest.CaptureFixture[str]
) -> None:
    lan.world.ip(f"link add stray group {0x76123456} type veth peer name other")
    assert main(["status"]) == 0
    assert main(["down", "?123456"]) == 2
    assert "stray" in lan.world.names()
    capsys.readouterr()


def test_words_on_the_command_line(lan: Lan, capfd: pytest.CaptureFixture[str]) -> None:
    Path(FILE).write_text(TOPOLOGY)
    assert main(["up", FILE]) == 0
    capfd.readouterr()
    for words in (["up", "--json"], ["plan", "odd", "--json"]):
        assert main(words) == 2
        assert '"errors"' in capfd.readouterr().out
    Path(FILE).write_text(TOPOLOGY + "nonsense = 1\n")
    assert main(["down", FILE]) == 0, "it needs only the name"
    assert lan.world.namespaces() == set()


def test_exec_hands_words_and_signals_on(lan: Lan) -> None:
    vlanlink.up(load())
    said = "/run/said"
    for command in (
        ["sh", "-c", f'echo "$@" >{said}', "--", "a", "--", "b"],
        ["sh", "-c", f"grep SigIgn /proc/self/status >>{said}"],
    ):
        pid = os.fork()
        if pid == 0:
            os._exit(main(["exec", "one", "--", *command]))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    words, ignored = Path(said).read_text().splitlines()
    assert words == "a -- b"
    assert int(ignored.split()[1], 16) & (1 << 12) == 0, "SIGPIPE is not ignored"
    del lan


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_an_end_from_outside_is_undone(
    lan: Lan, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The terminal is lost, or somebody ends the run, just before it makes its first change."""
    Path(FILE).write_text(TOPOLOGY)
    before = dump(lan.world)
    real = Execution._make_namespace

    def make(execution: Execution, operation: MakeNamespace) -> None:
        os.kill(os.getpid(), number)
        real(execution, operation)

    monkeypatch.setattr(Execution, "_make_namespace", make)
    handlers = {n: signal.getsignal(n) for n in (signal.SIGHUP, signal.SIGTERM)}
    try:
        assert main(["up", FILE]) == 130
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    same(lan.world, before)
