"""The log: operations and netlink messages in words; nothing where nobody uses logging."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.golden import Case, case_names
from tests.unit.test_codec import messages
from vlanlink import log
from vlanlink.cli import debug
from vlanlink.kernel.netlink import dumps, words
from vlanlink.model import Address, Route
from vlanlink.planning.operations import AddAddress, AddRoute


@pytest.mark.parametrize("name", case_names())
def test_every_message_has_words(name: str) -> None:
    found = Case(name)
    files = dict.fromkeys((*found.observed.namespaces, *found.topology.namespaces), 7)
    for operation in found.todo.operations:
        for message in messages(operation, files) if operation.sent else []:
            text = words.in_words(message)
            assert text.startswith("RTM_")
            assert "\n" not in text


def test_words() -> None:
    host = Address("192.0.2.1/24")
    address = AddAddress(namespace="web", dev="eth0", index=3, address=host)
    assert words.in_words(messages(address)[0]).startswith(
        "RTM_NEWADDR excl create, index 3, prefix 24, local 192.0.2.1, address 192.0.2.1"
    )
    route = Route("2001:db8::/64", "eth0", via="2001:db8::1", metric=7)
    text = words.in_words(messages(AddRoute(namespace="web", route=route, index=3))[0])
    assert {"prefix 64", "to 2001:db8::", "via 2001:db8::1", "metric 7", "dev 3"} <= set(
        text.split(", ")
    )
    assert words.in_words(dumps.dump_links()) == "RTM_GETLINK dump"


def test_answers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "vlanlink")
    logger = log.wanted(log.DEBUG)
    assert logger
    message = dumps.dump_links()
    words.write(logger, message, 0, "")
    words.write(logger, message, 16, "no\nway")
    assert [record.getMessage() for record in caplog.records] == [
        "RTM_GETLINK dump: ok",
        "RTM_GETLINK dump: EBUSY no\nway",
    ]


def test_levels() -> None:
    logger = logging.getLogger("vlanlink")
    assert log.wanted(log.DEBUG) is None
    assert any(isinstance(handler, logging.NullHandler) for handler in logger.handlers)
    logger.setLevel(logging.INFO)
    try:
        assert log.wanted(log.INFO) is logger
        assert log.wanted(log.DEBUG) is None
    finally:
        logger.setLevel(logging.NOTSET)


def test_no_logging_without_need() -> None:
    program = (
        "import sys, vlanlink.log as log; assert log.wanted(log.DEBUG) is None;"
        "import vlanlink.verbs.up; print('logging' in sys.modules)"
    )
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_command_prints_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("vlanlink")
    for name in ("handlers", "level", "propagate"):
        monkeypatch.setattr(logger, name, getattr(logger, name))
    debug.start("info")
    logger.info("%s", "make \x1b[31mlink")
    logger.debug("a message")
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 1
    assert shown[0].endswith(" ms  make \\x1b[31mlink")
    assert Path(debug.__file__).parent.name == "cli"
