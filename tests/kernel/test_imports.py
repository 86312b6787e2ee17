"""What verbs import that change something: most of a small run is Python's start.

``tests/unit/test_api_names.py`` has the verbs that need no network for it.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.command_line import VLANLINK
from tests.unneeded import NEVER

pytestmark = pytest.mark.needs("macvlan")

TEXT = """
[networks.pub]
kind = "macvlan"
parent = "eth0"
subnets = [{ subnet = "172.16.86.0/24" }]
[namespaces.one.interfaces.eth0]
network = "pub"
"""


def imported(*words: str) -> set[str]:
    """The modules that a verb imports."""
    command = [sys.executable, "-X", "importtime", VLANLINK, *words]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return set(re.findall(r"(?m)^import time:.*\| +(\S+)$", said))


@pytest.mark.usefixtures("lan")
def test_no_verb_of_a_whole_life_imports_what_costs_much(tmp_path: Path) -> None:
    file = tmp_path / "office.toml"
    file.write_text(TEXT)
    life = [("up", str(file)), ("up", str(file)), ("status", "office"), ("down", "office")]
    for verb, operand in life:
        found = imported(verb, operand)
        assert "vlanlink.kernel.machine" in found
        assert sorted(NEVER & found) == [], verb
