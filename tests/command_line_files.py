"""Completions and the man page, from the parser: what packaging/ holds.

They are generated here and not when a package is built: a build needs no generator then.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import shtab

from vlanlink.cli.parser import DESCRIPTION, EPILOG, Parser, parser, parsers, usage
from vlanlink.cli.verbs import VERBS, module

DIRECTORY: Final = Path(__file__).parents[1] / "packaging"
COMPLETIONS: Final = {
    "bash": "completions/vlanlink",
    "zsh": "completions/_vlanlink",
    "fish": "completions/vlanlink.fish",
}
MAN: Final = "man/vlanlink.1"

_TOPOLOGIES = "ls /etc/vlanlink /var/lib/vlanlink 2>/dev/null | sed -n 's/\\.\\(toml\\|json\\)$//p'"
_NAMESPACES = "ls /run/netns 2>/dev/null"
_NETWORKS = "vlanlink ls 2>/dev/null | awk 'NR > 1 { print $2 }'"
"""Names, by directories that everyone can list; networks only as root."""
_BASH: Final = f"""
_vlanlink_topologies() {{ compgen -W "$({_TOPOLOGIES})" -- "$1"; _vlanlink_files "$1"; }}
_vlanlink_files() {{ compgen -f -X '!*.toml' -- "$1"; compgen -d -- "$1"; }}
_vlanlink_namespaces() {{ compgen -W "$({_NAMESPACES})" -- "$1"; }}
_vlanlink_networks() {{ compgen -W "$({_NETWORKS})" -- "$1"; }}
_vlanlink_verbs() {{ compgen -W "{" ".join(VERBS)}" -- "$1"; }}
""".strip()
_ZSH: Final = f"""
_vlanlink_topologies() {{ compadd -- $({_TOPOLOGIES}); _vlanlink_files }}
_vlanlink_files() {{ _files -g '*.toml' }}
_vlanlink_namespaces() {{ compadd -- $({_NAMESPACES}) }}
_vlanlink_networks() {{ compadd -- $({_NETWORKS}) }}
_vlanlink_verbs() {{ compadd -- {" ".join(VERBS)} }}
""".strip()
_FISH: Final = f"""
function _vlanlink_topologies; {_TOPOLOGIES}; _vlanlink_files; end
function _vlanlink_files; __fish_complete_suffix .toml | string match -r '.*(\\.toml|/)$'; end
function _vlanlink_namespaces; {_NAMESPACES}; end
function _vlanlink_networks; {_NETWORKS}; end
function _vlanlink_verbs; printf '%s\\n' {" ".join(VERBS)}; end
""".strip()
_PREAMBLE: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_FUNCTIONS: Final = {
    "FILE": "_vlanlink_files",
    "FILE|NAME": "_vlanlink_topologies",
    "TOPOLOGY": "_vlanlink_topologies",
    "NAMESPACE": "_vlanlink_namespaces",
    "[TOPOLOGY/]NETWORK": "_vlanlink_networks",
    "TOPOLOGY/NETWORK": "_vlanlink_networks",
    "VERB": "_vlanlink_verbs",
}
"""By the name of an argument."""


def completion(shell: str) -> str:
    top = parser()
    for sub in parsers(top).values():
        for action in sub._actions:
            function = _FUNCTIONS.get(str(action.metavar))
            if function and not action.choices:
                fish = f"({function})"
                completers = {"bash": function, "zsh": function, "fish": fish}
                action.complete = completers  # type: ignore[attr-defined]
    text: str = shtab.complete(top, shell, preamble=_PREAMBLE[shell])
    return _tidy(text)


def man_page() -> str:
    """The page in man(7). argparse-manpage would drop examples and exit codes, and wrap usages."""
    return _tidy("\n".join(_man()))


def _man() -> Iterator[str]:
    yield '.TH VLANLINK 1 "" vlanlink "User Commands"'
    yield ".SH NAME\nvlanlink \\- VLAN, macvlan and ipvlan networks from a TOML file"
    yield ".SH SYNOPSIS\n.B vlanlink\n.I VERB\n[ARGUMENT...]"
    yield f".SH DESCRIPTION\n{_roff(DESCRIPTION)}\n.PP\n{_roff(EPILOG.splitlines()[0])}"
    yield ".SH VERBS"
    for name, sub in parsers(parser()).items():
        yield from _verb(name, sub)
    yield ".SH FILES"
    for path, what in FILES.items():
        yield f".TP\n.I {_roff(path)}\n{_roff(what)}"
    yield ".SH SEE ALSO\n.BR ip\\-netns (8),\n.BR ip\\-link (8),\n.BR systemd.unit (5)"


def _verb(name: str, sub: Parser) -> Iterator[str]:
    verb = module(name)
    yield f".SS {_roff(usage(sub).removeprefix('usage: '))}"
    yield f"{_roff(VERBS[name][0].upper() + VERBS[name][1:])}."
    for action in sub._actions:
        value = "" if action.nargs == 0 or not action.option_strings else f" {action.metavar}"
        form = ", ".join(action.option_strings) or str(action.metavar)
        text = (action.help or "") % {"default": action.default, "prog": sub.prog}
        yield f".TP\n.B {_roff(form + value)}\n{_roff(text)}"
    yield ".PP\nExit status:"
    for code, meaning in verb.EXITS.items():
        yield f".TP\n.B {code}\n{_roff(meaning)}"
    yield ".PP\nExamples:\n.PP\n.nf\n.RS"
    yield from map(_roff, verb.EXAMPLES)
    yield ".RE\n.fi"


def _roff(text: str) -> str:
    """Text as roff(7) prints it: hyphens are options', no line is a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


FILES: Final = {
    "/etc/vlanlink/NAME.toml": "topologies that come up at boot",
    "/run/vlanlink": "what is up, and how things were before; all of it may be lost",
    "/var/lib/vlanlink": "leases of addresses",
    "/run/netns/NAME": "network namespaces, as of ip-netns(8)",
    "/etc/netns/NAME": "files that replace those in /etc for a namespace",
}


def _tidy(text: str) -> str:
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip() + "\n"
