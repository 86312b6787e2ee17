"""Lines for the system's log: as syslog(3) sends them, and nobody waits for the log's reader."""

import re
import socket
import syslog
from pathlib import Path

from vlanlink.system_log import log


def test_lines_are_those_of_syslog(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind(str(tmp_path / "log"))
        log(syslog.LOG_WARNING, "one\ntwo", str(tmp_path / "log"))
        for line in (b"one", b"two"):
            assert re.fullmatch(
                rb"<28>\w{3} [ \d]\d [\d:]{8} vlanlink\[\d+\]: " + line, reader.recv(99)
            )


def test_a_log_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind(str(tmp_path / "log"))
        for _ in range(5000):  # net.unix.max_dgram_qlen is 512 at the most
            log(syslog.LOG_INFO, "x" * 500, str(tmp_path / "log"))
    log(syslog.LOG_INFO, "it is gone", str(tmp_path / "log"))
