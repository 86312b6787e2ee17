"""The Debian package: what it installs is what runs."""

from tests.lab.machine import Machine

FILES = (
    "/usr/share/man/man1/vlanlink.1.gz",
    "/usr/share/bash-completion/completions/vlanlink",
    "/usr/share/zsh/vendor-completions/_vlanlink",
    "/usr/share/fish/vendor_completions.d/vlanlink.fish",
)


def test_what_is_installed(host2: Machine) -> None:
    assert host2.run("dpkg --verify vlanlink; command -v vlanlink").stdout == "/usr/bin/vlanlink\n"
    host2.run(f"ls {' '.join(FILES)}")
    unit = host2.run("systemctl cat vlanlink@x.service").stdout
    assert "ExecStart=/usr/bin/vlanlink up" in unit
