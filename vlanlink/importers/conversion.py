"""``convert``: Docker's and Podman's networks as a topology. Reads files, never the machine."""

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from re import MULTILINE
from re import compile as pattern
from typing import Final, Literal

from vlanlink.dataclass import dataclass, replace
from vlanlink.errors import JSON_VERSION, Diagnostic, UsageError
from vlanlink.importers.bundle import Bundle
from vlanlink.importers.command_lines import read_commands
from vlanlink.importers.compose import is_compose, read_compose
from vlanlink.importers.containers import draft_containers
from vlanlink.importers.draft import Draft, names_for, topology_name
from vlanlink.importers.fit import fitted
from vlanlink.importers.inspected import read_inspected
from vlanlink.importers.json_text import read_json
from vlanlink.importers.networks import draft_networks
from vlanlink.importers.node import Place
from vlanlink.importers.notes import Notes
from vlanlink.importers.text import as_text
from vlanlink.importers.yaml_text import read_yaml
from vlanlink.topology import Source, Topology, parse
from vlanlink.topology.load import Text, content
from vlanlink.topology.positions import Span

SourceFormat = Literal["json", "compose", "shell"]
ARGUMENT: Final = "<argument>"
_COMMAND: Final = pattern(r"\s*(sudo\s+)?(docker|podman|nerdctl)\s", MULTILINE)
_COMPOSE: Final = pattern(r"^(services|networks|version|name)\s*:", MULTILINE)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A topology made from another tool's networks, and what did not come over."""

    text: str
    """The topology file, with comments."""
    topology: Topology
    warnings: tuple[Diagnostic, ...] = ()
    """What is not carried over or has another meaning, decisions included, at its place."""
    decisions: tuple[Diagnostic, ...] = ()
    """What the user has to decide before the topology can be used."""

    def to_dict(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "version": JSON_VERSION,
            "topology": self.topology.name,
            "text": self.text,
            "warnings": [one.to_dict() for one in self.warnings],
            "decisions": [one.to_dict() for one in self.decisions],
        }


def convert(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    text: Text | None = None,
    source_format: SourceFormat | None = None,
    name: str | None = None,
    parents: Mapping[str, str] | None = None,
    running: bool = False,
) -> Conversion:
    """Make a topology of Docker's or Podman's networks.

    ``source`` is a file, a command line such as ``docker network create …``, or several of them:
    compose YAML or JSON, the output of ``docker network inspect``, or a script. ``text`` is the
    content of the only source, or of ``-``. ``parents`` renames parents, ``running`` keeps the
    present addresses and MACs. The result is valid; raises TopologyError for a source that can't
    be read, UsageError if it has no network.
    """
    notes = Notes()
    several = [source] if isinstance(source, str | os.PathLike) else list(source)
    sources = [_source(one, text if one == "-" or len(several) == 1 else None) for one in several]
    bundles = [_bundle(one, source_format, notes) for one in sources]
    bundle = _joined(bundles)
    if running and not bundle.has_running:
        raise UsageError(_NOT_RUNNING)
    draft = Draft()
    start = Place(sources[0], Span(1, 1))
    stem = PurePath(sources[0].file or "").stem
    title = name or topology_name(bundle.name or ("" if stem.startswith("<") else stem))
    draft.put(("topology", "name"), title, start)
    names = names_for(bundle)
    draft_networks(draft, bundle, names, parents or {}, notes)
    draft_containers(draft, bundle, names, notes, running=running)
    topology = fitted(draft, notes, start)
    found = [*dict.fromkeys(notes.found)]
    decisions = tuple(one.diagnostic for one in found if one.decide)
    heading = [f"Made by vlanlink import from {', '.join(str(one.file) for one in sources)}."]
    written = as_text(draft, heading, (_one_line(one) for one in decisions))
    topology = parse(written, f"{topology.name}.toml")
    in_order = sorted((one.diagnostic for one in found), key=lambda one: (one.file, one.line or 0))
    return Conversion(written, topology, tuple(in_order), decisions)


_NOT_RUNNING: Final = Diagnostic(
    "the source does not say which addresses containers have now",
    hint="import the output of `docker network inspect NETWORK…`",
)


_TOPOLOGY: Final = pattern(r"^\[(topology|networks|namespaces|links|host)[\].]", MULTILINE)
_VALIDATE: Final = "vlanlink validate FILE checks it, vlanlink up FILE brings it up"


def _one_line(one: Diagnostic) -> str:
    return f"{one.file}:{one.line}: {one.message}" + (f" ({one.hint})" if one.hint else "")


def _source(source: str | os.PathLike[str], text: Text | None) -> Source:
    if text is not None:
        return Source(content(source, text), "<stdin>" if source == "-" else os.fspath(source))
    if isinstance(source, str) and _COMMAND.match(source):
        return Source(source, ARGUMENT)
    return Source(content(source), os.fspath(source))


def _bundle(source: Source, source_format: SourceFormat | None, notes: Notes) -> Bundle:
    if source_format is None and (heading := _TOPOLOGY.search(source.text)):
        line = source.text.count("\n", 0, heading.start()) + 1
        message = "this is a topology, not something to import"
        raise UsageError(Place(source, Span(line, 1)).diagnose(message, _VALIDATE))
    match source_format or _guess(source.text):
        case "json":
            found = _from_json(source, notes)
        case "compose":
            root = read_yaml(source)
            found = read_compose(root, notes) if is_compose(root) else None
        case _:
            found = read_commands(source, notes)
    if found is None or not (found.networks or found.containers):
        message = "found no network and no container to import"
        hint = "give a compose file, the output of `docker network inspect`, or docker commands"
        raise UsageError(replace(Place(source, Span(1, 1)).diagnose(message, hint), source=None))
    return found


def _guess(text: str) -> SourceFormat:
    """JSON, then YAML, then shell."""
    if text.lstrip()[:1] in ("{", "["):
        return "json"
    return "compose" if _COMPOSE.search(text) else "shell"


def _from_json(source: Source, notes: Notes) -> Bundle | None:
    documents = list(read_json(source))
    if documents and is_compose(documents[0]):
        return read_compose(documents[0], notes)
    return read_inspected(documents, notes)


def _joined(bundles: Sequence[Bundle]) -> Bundle:
    """Several sources as one; a definition wins over an external reference."""
    networks = dict(bundles[0].networks)
    for key, one in (pair for each in bundles[1:] for pair in each.networks.items()):
        if key not in networks or networks[key].external:
            networks[key] = one
    return Bundle(
        networks,
        tuple(one for each in bundles for one in each.containers),
        next((each.name for each in bundles if each.name), ""),
        has_running=any(each.has_running for each in bundles),
    )
