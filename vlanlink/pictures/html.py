"""A scene as one page of HTML: nothing is loaded from elsewhere. Pure.

The boxes are rows of tables, so that screen readers find every endpoint in one; a large network is
folded until its button is pressed or the search finds something in it.
"""

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape as _escape

from vlanlink.errors import printable
from vlanlink.pictures.scene import Endpoint, Network, Scene, Wire
from vlanlink.pictures.svg import COLOURS, MOST, WORDS

_STYLE: Final = """
body{font:15px system-ui,"DejaVu Sans",sans-serif;color:#0f172a;margin:1.5rem;max-width:90rem}
h1{font-size:1.3rem}
h2,h3{font-size:1rem;margin:0}
input{font:inherit;padding:.4rem .6rem;width:22rem;border:1px solid #64748b;border-radius:4px}
.wire{border-top:5px solid #334155;border-left:2px solid #334155;
  margin:.8rem 0 1rem;padding:.3rem 0 .1rem 1.2rem}
.wire>h2 small,.bar small,.subnets{color:#475569;font-weight:400}
.bar{background:#334155;color:#fff;border-radius:4px;padding:.25rem .7rem;margin-top:.6rem;
  display:flex;justify-content:space-between;align-items:baseline}
.bar.macvlan{background:#1d4ed8}
.bar.ipvlan{background:#7e22ce}
.bar small{color:#fff}
.subnets{font:13px ui-monospace,"DejaVu Sans Mono",monospace;
  margin:.3rem .7rem;padding:0;list-style:none}
table,tbody{display:block}
tbody{display:grid;grid-template-columns:repeat(auto-fill,minmax(17.5rem,1fr));
  gap:.6rem;padding:.4rem .7rem}
thead{position:absolute;left:-100rem}
tr{display:block;border:1px solid #64748b;border-radius:4px;
  padding:.35rem .6rem;overflow-wrap:anywhere}
td,th{display:block;text-align:left;padding:0;
  font:13px ui-monospace,"DejaVu Sans Mono",monospace}
th{font:600 14px system-ui,"DejaVu Sans",sans-serif}
td.mac{color:#475569}
tr[hidden],.folded tr.more{display:none}
.folded.searched tr.more:not([hidden]){display:block}
button{font:inherit;margin:.3rem .7rem;padding:.2rem .7rem}
.legend span{border:1px solid;border-radius:4px;padding:.1rem .5rem;margin-right:.5rem}
"""

_SCRIPT: Final = """
const box=document.querySelector("input"),said=document.querySelector("output");
const rows=[...document.querySelectorAll("tbody tr")];
const tables=[...document.querySelectorAll("table")];
function search(){
  const word=box.value.trim().toLowerCase();let found=0;
  for(const row of rows){const hit=!word||row.textContent.toLowerCase().includes(word)||
    row.closest("section").dataset.name.toLowerCase().includes(word);row.hidden=!hit;found+=hit;}
  for(const table of tables)table.classList.toggle("searched",word!=="");
  said.textContent=word?found+" of "+rows.length+" endpoints":"";
}
box.addEventListener("input",search);
if(location.hash.length>1){box.value=decodeURIComponent(location.hash.slice(1));search();}
for(const button of document.querySelectorAll("button"))button.addEventListener("click",()=>{
  const table=document.getElementById(button.getAttribute("aria-controls"));
  const folded=table.classList.toggle("folded");
  button.setAttribute("aria-expanded",String(!folded));
  button.textContent=folded?button.dataset.more:"fewer";
});
"""


def as_html(scene: Scene) -> str:
    """The page, well-formed XML too."""
    name = escape(scene.topology)
    lines = [
        "<!DOCTYPE html>",
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width"/>',
        f"<title>Topology {name}</title><style>/*<![CDATA[*/{_STYLE}{_colours()}/*]]>*/</style>",
        f"</head><body><h1>Topology {name}</h1>",
        '<p><label>Search <input type="search" placeholder="name, address or MAC"/></label> '
        '<output aria-live="polite"></output></p>',
        *_live(scene),
        *(f"<p>host: <code>{escape(words)}</code></p>" for words in scene.host),
        *(line for at, wire in enumerate(scene.wires) for line in _wire(wire, f"w{at}")),
        *_pairs(scene),
        f"<script>//<![CDATA[{_SCRIPT}//]]></script>",
        "</body></html>",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text for elements and attributes."""
    return _escape(printable(text), {'"': "&quot;", "'": "&#39;"})


def _colours() -> str:
    rules = [
        f".{condition}{{background:{fill};border-color:{stroke}}}"
        for condition, (fill, stroke) in COLOURS.items()
        if condition
    ]
    return "\n".join([*rules, ".down{border-style:dashed}"])


def _live(scene: Scene) -> Iterator[str]:
    if scene.live:
        yield f"<p>{escape(scene.live)}</p>"
        spans = (f'<span class="{key}">{escape(words)}</span>' for key, words in WORDS.items())
        yield f'<p class="legend">{"".join(spans)}</p>'


def _wire(wire: Wire, key: str) -> Iterator[str]:
    yield f'<div class="wire"><h2>{escape(wire.name)} <small>{escape(wire.what)}</small></h2>'
    if wire.endpoints:
        yield from _table(wire.endpoints, f"{key}-alone", f"links on {wire.name}")
    for at, network in enumerate(wire.networks):
        yield from _network(network, f"{key}-n{at}")
    for at, vlan in enumerate(wire.vlans):
        yield from _wire(vlan, f"{key}-v{at}")
    yield "</div>"


def _network(network: Network, key: str) -> Iterator[str]:
    kind, count = network.kind.partition(" ")[0], len(network.endpoints)
    ends = f"{count} endpoint{'' if count == 1 else 's'}"
    yield (
        f'<h3 class="bar {escape(kind)}"><span>{escape(network.name)}</span>'
        f"<small>{escape(network.kind)} · {ends}</small></h3>"
    )
    lines = [*network.subnets, *([f"shim: {network.shim}"] if network.shim else [])]
    if lines:
        items = "".join(f"<li>{escape(one)}</li>" for one in lines)
        yield f'<ul class="subnets">{items}</ul>'
    yield from _table(network.endpoints, key, network.name)


def _table(endpoints: tuple[Endpoint, ...], key: str, name: str) -> Iterator[str]:
    if not endpoints:
        return
    left = len(endpoints) - MOST
    folded = ' class="folded"' if left > 0 else ""
    yield f'<section data-name="{escape(name)}">'
    if left > 0:
        more = f"+{left} more"
        yield (
            f'<button type="button" aria-controls="{key}" aria-expanded="false" '
            f'data-more="{more}">{more}</button>'
        )
    yield f'<table id="{key}"{folded} role="table" aria-label="{escape(name)}">'
    heads = "".join(
        f'<th role="columnheader">{word}</th>' for word in ("endpoint", "addresses", "MAC", "state")
    )
    yield f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead><tbody role="rowgroup">'
    yield from (_row(one, more=at >= MOST) for at, one in enumerate(endpoints))
    yield "</tbody></table></section>"


def _row(one: Endpoint, *, more: bool) -> str:
    classes = " ".join(word for word in (one.condition, "more" if more else "") if word)
    name = f"{one.name} (router)" if one.routes else one.name
    addresses = "<br/>".join(map(escape, one.addresses))
    state = "; ".join([*([WORDS[one.condition]] if one.condition else []), *one.notes])
    return (
        f'<tr role="row" class="{classes}"><th role="rowheader" scope="row">{escape(name)}</th>'
        f'<td role="cell">{addresses}</td><td role="cell" class="mac">{escape(one.mac)}</td>'
        f'<td role="cell">{escape(state)}</td></tr>'
    )


def _pairs(scene: Scene) -> Iterator[str]:
    if scene.pairs:
        yield '<div class="wire"><h2>veth pairs</h2>'
        for at, pair in enumerate(scene.pairs):
            yield from _table(pair, f"pair{at}", f"{pair[0].name} and {pair[1].name}")
        yield "</div>"
