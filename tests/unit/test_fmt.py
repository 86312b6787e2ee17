"""fmt: one layout; values, their order and comments stay."""

import io
import json
import random
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vlanlink
from vlanlink.cli import main as command
from vlanlink.cli.main import main
from vlanlink.topology import layout, toml

EXAMPLES = Path(__file__).parents[2] / "examples"
UGLY = """\


#:schema ./vlanlink.schema.json
[ topology ]
name="office"   # the name
[networks . "pub"]
kind='macvlan'
parent="eth0"        # the NIC


subnets=[
# the LAN
      {subnet="172.16.3.0/24",gateway = "172.16.3.1"  ,ip_range = "172.16.3.128/25"} ,   # IPv4

 { subnet = "2001:db8::/64" , aux_addresses={} },
  ]
# the web server
[namespaces.web]
sysctls = {
"net.ipv4.ip_forward"=1,   # TOML 1.1
}
interfaces.eth0 = { network="pub",addresses=[ "172.16.3.15" , 'auto' ], mtu = 1_400 }
"""
NEAT = """\
#:schema ./vlanlink.schema.json
[topology]
name = "office"  # the name

[networks."pub"]
kind = 'macvlan'
parent = "eth0"  # the NIC

subnets = [
  # the LAN
  { subnet = "172.16.3.0/24", gateway = "172.16.3.1", ip_range = "172.16.3.128/25" },  # IPv4
  { subnet = "2001:db8::/64", aux_addresses = {} },
]

# the web server
[namespaces.web]
sysctls = {
  "net.ipv4.ip_forward" = 1,  # TOML 1.1
}
interfaces.eth0 = { network = "pub", addresses = ["172.16.3.15", 'auto'], mtu = 1_400 }
"""


def test_the_layout() -> None:
    assert vlanlink.formatted("office.toml", text=UGLY) == NEAT
    assert vlanlink.formatted("office.toml", text=UGLY.replace("\n", "\r\n")) == NEAT
    assert vlanlink.formatted("office.toml", text=NEAT) == NEAT
    assert vlanlink.formatted("office.toml", text="") == ""


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_examples_have_it(path: Path) -> None:
    assert vlanlink.formatted(path) == path.read_text()


def test_values_of_every_type() -> None:
    text = (
        'a = 1979-05-27 07:32:00\nb = -1.5e+3\nc = """two\n  lines # no comment  \n"""\n'
        "d = '''it''s = [a]'''\ne = [\n  [1, 2],\n  [[], {}],\n]\nf = +inf\n\n[[g]]\n\n[[g]]\n"
    )
    assert layout.formatted(text) == text


def test_comments_beside_neighbours_stand_in_one_column() -> None:
    assert layout.formatted("a = 1 # x\nbcd = 22    # y\ne = 3\nf = 4 # z\n") == (
        "a = 1     # x\nbcd = 22  # y\ne = 3\nf = 4  # z\n"
    )


TOKENS = re.compile(r"(?<=[=,\[\]{}])(?=[^\n])|(?=[=,\]}])")


@given(st.randoms(use_true_random=False), st.sampled_from([NEAT, *map(str, [UGLY])]))
def test_whatever_the_space(chance: random.Random, text: str) -> None:
    """Space around signs, blank lines and spaces at line ends change nothing."""
    lines = []
    for line in text.splitlines():
        code, sign, comment = line.partition("#")
        spaced = (
            TOKENS.sub(lambda _: " " * chance.randrange(3), code) if '"net' not in code else code
        )
        if code.startswith("["):
            spaced = code
        lines += [spaced + sign + comment + " " * chance.randrange(3)]
    found = layout.formatted("\n".join(lines))
    assert found == NEAT
    assert layout.formatted(found) == found
    assert toml.loads(found) == toml.loads(text)


# -- the verb ----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_prepare", lambda: None)
    return tmp_path


def test_files_in_place(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ugly, neat, link = here / "ugly.toml", here / "neat.toml", here / "link.toml"
    ugly.write_text(UGLY)
    ugly.chmod(0o640)
    neat.write_text(NEAT)
    link.symlink_to("ugly.toml")
    assert main(["fmt", "--check", "ugly.toml", "neat.toml"]) == 3
    assert capsys.readouterr().out == "ugly.toml: would change\nneat.toml: OK\n"
    assert main(["fmt", "link.toml", "neat.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [
        {"file": "link.toml", "changed": True},
        {"file": "neat.toml", "changed": False},
    ]
    assert ugly.read_text() == NEAT
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert main(["fmt", "--check", "ugly.toml"]) == 0
    assert sorted(path.name for path in here.iterdir()) == ["link.toml", "neat.toml", "ugly.toml"]


def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr().out == NEAT


def test_a_file_with_errors_stays(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wrong.toml").write_text("[networks.pub\nkind=\n")
    assert main(["fmt", "wrong.toml"]) == 2
    assert "wrong.toml:1:" in capsys.readouterr().err
    assert (here / "wrong.toml").read_text() == "[networks.pub\nkind=\n"
    assert main(["fmt", "wrong"]) == 2
    assert "did you mean wrong.toml?" in capsys.readouterr().err
