"""A scene as SVG: wires as buses, networks as bars on them, endpoints as boxes. Pure."""

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from vlanlink.errors import printable
from vlanlink.pictures.scene import Condition, Endpoint, Network, Scene, Wire, cut

WIDTH: Final = 1180
MOST: Final = 40
"""Endpoints drawn of a network."""
_COLUMNS: Final = 4
_INDENT, _GAP, _MARGIN = 28, 12, 24
_BAR, _LINE, _BUS = 26, 15, 30
_CHARACTER: Final = 6.7
"""Width of a character of the monospaced font at 11 px."""

COLOURS: Final[dict[Condition, tuple[str, str]]] = {
    "": ("#ffffff", "#64748b"),
    "ok": ("#dcfce7", "#15803d"),
    "drifted": ("#fef3c7", "#b45309"),
    "down": ("#f1f5f9", "#94a3b8"),
    "differs": ("#fee2e2", "#b91c1c"),
}
"""Fill and stroke by condition."""
WORDS: Final[dict[Condition, str]] = {
    "ok": "as the file says",
    "drifted": "drifted",
    "down": "down",
    "differs": "a probe differs",
}
KINDS: Final = {"macvlan": "#1d4ed8", "ipvlan": "#7e22ce"}

_STYLE: Final = (
    "text{font:13px system-ui,'DejaVu Sans',sans-serif;fill:#0f172a}"
    ".m{font:11px ui-monospace,'DejaVu Sans Mono',monospace}.s{fill:#475569}"
    ".b{font-weight:600}.w{fill:#ffffff;font-weight:600}.e{text-anchor:end}"
)


def as_svg(scene: Scene) -> str:
    """The picture; of a large network some endpoints, and how many more there are."""
    drawing = _Drawing()
    drawing.whole(scene)
    height = drawing.y + _MARGIN
    name = escape(printable(scene.topology))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">\n'
        f'<title id="title">Topology {name}</title>\n<style>{_STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
        + "\n".join(drawing.parts)
        + "\n</svg>\n"
    )


class _Drawing:
    """Draws from top to bottom; ``y`` is how far it got."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = _MARGIN

    # -- pieces -----------------------------------------------------------------------------------

    def text(self, x: float, y: float, words: str, style: str = "", room: float = 0) -> None:
        shown = printable(words)
        most = int(room / _CHARACTER) if room else len(shown)
        # The whole of it stays readable: as a tooltip, and for screen readers.
        title = f"<title>{escape(shown)}</title>" if len(shown) > most else ""
        short = shown if len(shown) <= most else f"{shown[: max(1, most - 1)]}…"
        kind = f" class={quoteattr(style)}" if style else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}"{kind}>{title}{escape(short)}</text>')

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        stroke: str,
        more: str = "",
    ) -> None:
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" '
            f'fill="{fill}" stroke="{stroke}"{more}/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, width: float = 2) -> None:
        self.parts.append(
            f'<path d="M{x1:g} {y1:g}H{x2:g}" stroke="#334155" stroke-width="{width:g}"/>'
            if y1 == y2
            else f'<path d="M{x1:g} {y1:g}V{y2:g}" stroke="#334155" stroke-width="{width:g}"/>'
        )

    # -- the whole --------------------------------------------------------------------------------

    def whole(self, scene: Scene) -> None:
        self.text(_MARGIN, self.y + 14, f"Topology {scene.topology}", "b")
        self.y += 24
        if scene.live:
            self.text(_MARGIN, self.y + 12, scene.live, "s")
            self.y += 20
            self.legend()
        for words in scene.host:
            self.text(_MARGIN, self.y + 12, f"host: {words}", "m s")
            self.y += _LINE
        self.y += _GAP
        for wire in scene.wires:
            self.wire(wire, _MARGIN)
        if scene.pairs:
            self.text(_MARGIN, self.y + 14, "veth pairs", "b")
            self.y += 24
            for one, other in scene.pairs:
                self.endpoints((one, other), _MARGIN + _INDENT)

    def legend(self) -> None:
        x = _MARGIN
        for condition, words in WORDS.items():
            fill, stroke = COLOURS[condition]
            self.box(x, self.y, 14, 14, fill, stroke, _dashes(condition))
            self.text(x + 20, self.y + 12, words, "s")
            x += 40 + 8 * len(words)
        self.y += 26

    def wire(self, wire: Wire, x: float) -> float:
        """A bus with what is on it below; returns its height on the page."""
        top = self.y + _BUS / 2 + 4
        self.text(x, self.y + 12, wire.name, "b")
        self.text(x + 9 * len(printable(wire.name)) + 10, self.y + 12, wire.what, "s")
        self.line(x, top + 4, WIDTH - _MARGIN, top + 4, 5)
        self.y += _BUS + _GAP
        taps: list[float] = []
        if wire.endpoints:
            taps.append(self.y + 10)
            self.endpoints(wire.endpoints, x + _INDENT)
        for network in wire.networks:
            taps.append(self.network(network, x + _INDENT))
        for vlan in wire.vlans:
            taps.append(self.wire(vlan, x + _INDENT))
        for at in taps:
            self.line(x + 8, at, x + _INDENT, at)
        if taps:
            self.line(x + 8, top + 4, x + 8, taps[-1])
        return top + 4

    def network(self, network: Network, x: float) -> float:
        shown, left = cut(network, MOST)
        colour = KINDS.get(network.kind.partition(" ")[0], "#334155")
        y, lines = self.y, [*network.subnets, *([f"shim: {network.shim}"] if network.shim else [])]
        self.box(x, y, WIDTH - _MARGIN - x, _BAR, colour, colour)
        count = len(network.endpoints)
        ends = f"{count} endpoint{'' if count == 1 else 's'}"
        room = (WIDTH - _MARGIN - x - 320) * 0.8
        self.text(x + 10, y + 18, network.name, "w", room)
        label = f"{network.kind} · {ends}"
        self.text(WIDTH - _MARGIN - 10, y + 18, label, "w e", 290)
        self.y += _BAR + 4
        for words in lines:
            self.text(x + 10, self.y + 11, words, "m s", WIDTH - _MARGIN - x - 20)
            self.y += _LINE
        self.y += 6
        self.endpoints(shown.endpoints, x + 10)
        if left:
            self.text(x + 10, self.y + 8, f"+{left} more", "b")
            self.y += 22
        self.y += _GAP
        return y + _BAR / 2

    def endpoints(self, endpoints: tuple[Endpoint, ...], x: float) -> None:
        space = WIDTH - _MARGIN - x
        columns = _COLUMNS
        while columns > 1 and _width(space, columns) < _needed(endpoints):
            columns -= 1
        width = _width(space, columns)
        for start in range(0, len(endpoints), columns):
            row = endpoints[start : start + columns]
            height = max(map(_height, row))
            for at, one in enumerate(row):
                self.endpoint(one, x + at * (width + _GAP), width, height)
            self.y += height + _GAP
        self.y += 4 if endpoints else 0

    def endpoint(self, one: Endpoint, x: float, width: float, height: float) -> None:
        fill, stroke = COLOURS[one.condition]
        self.box(x, self.y, width, height, fill, stroke, _dashes(one.condition))
        name = f"{one.name} (router)" if one.routes else one.name
        self.text(x + 8, self.y + 16, name, "b", (width - 16) * 0.8)
        for at, (words, style) in enumerate(_lines(one)):
            self.text(x + 8, self.y + 32 + at * _LINE, words, style, width - 16)


def _width(space: float, columns: int) -> float:
    return (space - (columns - 1) * _GAP) / columns


def _needed(endpoints: tuple[Endpoint, ...]) -> float:
    """Room for the longest address."""
    longest = max((len(a) for one in endpoints for a in one.addresses), default=0)
    return 16 + _CHARACTER * (longest + 1)


def _lines(one: Endpoint) -> Iterator[tuple[str, str]]:
    for address in one.addresses:
        yield address, "m"
    if one.mac:
        yield one.mac, "m s"
    for note in one.notes[:3]:
        yield note, "m"


def _height(one: Endpoint) -> int:
    return 24 + _LINE * len(list(_lines(one))) + (2 if one.addresses or one.mac else 0)


def _dashes(condition: Condition) -> str:
    return ' stroke-dasharray="4 3"' if condition == "down" else ""
