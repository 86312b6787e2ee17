"""``exec``: signals, users and files in /etc are as with `ip netns exec` and setpriv(1)."""

import os
import subprocess
from pathlib import Path

import pytest

import vlanlink
from tests.kernel.command_line import VLANLINK
from tests.kernel.world import World


@pytest.fixture
def web(world: World) -> World:
    world.ip("netns add web")
    return world


@pytest.mark.parametrize("ignored", ["TERM", "PIPE", "XFSZ", "HUP INT", "PIPE XFSZ TERM", ""])
def test_ignored_signals_stay_ignored(web: World, ignored: str) -> None:
    trap = f"trap '' {ignored}; " if ignored else ""

    def mask(command: str) -> str:
        script = f"{trap}{command} web {'-- ' if 'vlan' in command else ''}grep SigIgn: "
        return web.run(["sh", "-c", f"{script} /proc/self/status; exit $?"]).stdout

    assert mask(f"{VLANLINK} exec") == mask("ip netns exec")


@pytest.mark.parametrize("between", ["timeout 20", "flock /run/f", "unshare --uts --fork"])
@pytest.mark.parametrize("ignored", ["PIPE", "XFSZ PIPE"])
def test_signals_stay_ignored_through_what_stands_between(
    web: World, between: str, ignored: str
) -> None:
    """The shell's child hands on what it inherited."""

    def mask(command: str) -> str:
        script = f"trap '' {ignored}; {between} {command} grep SigIgn: /proc/self/status; exit $?"
        return web.run(["sh", "-c", script]).stdout

    assert mask(f"{VLANLINK} exec web --") == mask("ip netns exec web")


@pytest.fixture
def etc(world: World) -> Path:  # noqa: ARG001 - after the world is made
    """The machine's /etc, to write to."""
    subprocess.run("cp -a /etc /run/etc && mount --bind /run/etc /etc", shell=True, check=True)
    Path("/etc/netns/web").mkdir(parents=True)
    return Path("/etc")


@pytest.mark.parametrize(
    ("kind", "name"), [("file", "for.web"), ("directory", "for.web"), ("file", "web's; own")]
)
def test_a_file_with_nothing_to_replace_is_named(
    web: World, etc: Path, kind: str, name: str
) -> None:
    """As `ip netns exec`, which says so too, and goes on."""
    own, target = etc / "netns/web" / name, etc / name
    if kind == "directory":
        own.mkdir()
    else:
        own.write_text("web's\n")
    (etc / "netns/web/hosts").write_text("192.0.2.1 web\n")
    words = [VLANLINK, "exec", "web", "--", "cat", "/etc/hosts"]
    assert "failed" in web.run(["ip", "netns", "exec", *words[2:3], *words[4:]]).stderr
    done = web.run(words)
    assert done.stdout == "192.0.2.1 web\n"
    word = str(target) if name == "for.web" else f"'{etc}/web'\\''s; own'"
    command = f"{'mkdir' if kind == 'directory' else 'touch'} {word}"
    assert done.stderr == (
        f"warning: {own} is not used: there is no {target} to mount it over\n"
        f"  hint: {command}, or remove {own}\n"
    )
    web.run(["sh", "-c", command])
    done = web.run([*words[:-1], str(target)], check=kind == "file")
    assert kind == "directory" or (done.stdout, done.stderr) == ("web's\n", "")
    assert "warning" not in done.stderr


def test_the_library_logs_a_file_with_nothing_to_replace(
    web: World, etc: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (etc / "netns/web/for.web").write_text("")
    done = vlanlink.run("web", ["true"])
    assert done.returncode == 0
    (line,) = (record for record in caplog.records if record.name == "vlanlink")
    assert "for.web is not used" in line.getMessage()
    assert web.namespaces() == {"web"}


@pytest.mark.parametrize("target", ["/nowhere/stub-resolv.conf", "nowhere", "real"])
@pytest.mark.usefixtures("etc")
def test_a_name_server_file_counts_wherever_etc_leads(web: World, target: str) -> None:
    Path("/etc/netns/web/resolv.conf").write_text("nameserver 192.0.2.53\n")
    resolv = Path("/etc/resolv.conf")
    resolv.unlink(missing_ok=True)
    resolv.symlink_to(target)
    if target == "real":
        Path("/etc/real").write_text("nameserver 192.0.2.1\n")
    read = f"{VLANLINK} exec web -- cat /etc/resolv.conf"
    assert web.run(read).stdout == "nameserver 192.0.2.53\n"
    assert os.readlink(resolv) == target
    assert resolv.exists() == (target == "real")


def test_a_command_as_another_user(web: World) -> None:
    script = "id; echo $HOME $USER; grep -E 'Cap(Eff|Prm|Inh|Amb)' /proc/self/status; pwd"
    setpriv = "setpriv --reuid daemon --regid daemon --init-groups"
    expected = web.run([*setpriv.split(), "sh", "-c", script], "web").stdout
    assert "daemon" in expected
    for user in ("daemon", web.run("id -u daemon").stdout.strip()):
        words = [VLANLINK, "exec", "--user", user, "web", "--", "sh", "-c", script]
        assert web.run(words).stdout == expected


def test_a_user_that_does_not_exist(web: World) -> None:
    for user in ("nobody-here", "4000000000", "-1", ""):
        found = web.run([VLANLINK, "exec", f"--user={user}", "web", "--", "id"], check=False)
        assert found.returncode == 2
        assert found.stderr.startswith(f"error: unknown user: {user}\n")


def test_another_user_takes_privilege(web: World) -> None:
    words = ["setpriv", "--bounding-set", "-setuid", VLANLINK, "exec", "--user", "daemon", "web"]
    found = web.run([*words, "--", "id"], check=False)
    assert found.returncode == 4
    assert "running a command as another user takes CAP_SETUID" in found.stderr
