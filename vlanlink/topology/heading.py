"""Only the name of a topology file: all that it takes to take it down."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import PurePath

from vlanlink.errors import TopologyError
from vlanlink.topology import values
from vlanlink.topology.load import Text, content, load, parse
from vlanlink.topology.model import Topology
from vlanlink.topology.problems import InvalidValue


@dataclass(frozen=True, slots=True)
class Heading:
    """The name of a topology, and the text that it stands in, which may be wrong otherwise."""

    name: str
    text: str
    file: str

    def whole(self) -> Topology | None:
        """The topology; None where something is wrong with it."""
        try:
            return parse(self.text, self.file)
        except TopologyError:
            return None


def heading(path: str | os.PathLike[str], *, text: Text | None = None) -> Heading:
    """The name that a topology file gives, or that of the file. ``text`` as for ``load``.

    The rest is not checked. Raises TopologyError, as ``load``, where there is no telling the name.
    """
    file, whole = os.fspath(path), content(path, text)
    try:
        table = tomllib.loads(whole.removeprefix("\ufeff")).get("topology", {})
        name = values.topology_name(table.get("name", PurePath(file).stem))
    except (tomllib.TOMLDecodeError, AttributeError, TypeError, InvalidValue):
        name = load(file, text=whole).name
    return Heading(name, whole, file)
