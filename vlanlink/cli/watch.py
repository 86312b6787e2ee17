"""``vlanlink watch FILE``."""

import argparse
import json
import signal
import sys
from contextlib import closing
from types import FrameType

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output
from vlanlink.cli.sd_notify import Service

NAME = "watch"
HELP = "bring a topology up, and mend what drifts from FILE from then on"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE [--no-repair] [--replace] [--json]."""
    shared.add_file(parser)
    parser.add_argument(
        "--no-repair", action="store_true", help="only tell what drifts, change nothing"
    )
    parser.add_argument(
        "--replace", action="store_true", help="go on if the topology is up from another file"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object in a line per event")


def run(options: argparse.Namespace) -> int:
    """Exit 0 at SIGTERM, 130 at Ctrl-C; either leaves everything up."""
    topology = shared.read(options.file)
    output.print_notes(topology.warnings)
    service = Service(ready_at_once=options.no_repair)

    def on_event(event: "vlanlink.Event") -> None:
        lines = _lines(event)
        if options.json:
            print(json.dumps(event.to_dict(), ensure_ascii=False), flush=True)
        else:
            print("\n".join(lines), flush=True)
            output.print_notes(event.diagnostics)
        service.tell(event.event, lines[0])

    watch = vlanlink.Watch(
        topology,
        on_event=on_event,
        repair=not options.no_repair,
        replace_file=options.replace,
        on_beat=service.beat,
        beat_seconds=service.beat_seconds,
    )
    if not sys.stdin.isatty():  # a hangup of the terminal is an end like any other
        signal.signal(signal.SIGHUP, lambda *_: watch.reload())
    ended: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        ended.append(number)
        watch.stop()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with closing(service):
        try:
            watch.run()
        except vlanlink.Interrupted:
            if signal.SIGTERM not in ended:
                raise
    return vlanlink.Interrupted.exit_code if signal.SIGINT in ended else 0


def _lines(event: "vlanlink.Event") -> list[str]:
    """An event in words; what its diagnostics say is not repeated."""
    name = event.topology
    match event.event:
        case "drift":
            return [f"drift: {what}" for what in event.what]
        case "left":
            who = f"by {', '.join(event.suspects)}" if event.suspects else "by somebody else"
            return [f"left alone, for {who} undoes it again and again: {w}" for w in event.what]
        case "failed":
            return [f"{name} can't be mended; the next try is in {event.retry_seconds:.3g} s"]
        case "up" | "mended":
            done = output.done(event.plan) if event.plan else ""
            return [f"{name} is {event.event}" + (f": {done}." if done else ".")]
        case "reloaded":
            return [f"{name} is watched as {event.what[0]} says now."]
        case "elsewhere":
            return [f"{name} is up from {event.what[0]} now, and left alone."]
        case "waiting":
            return [f"{name} waits for confirmation, and is left alone: {event.what[0]}."]
    return [f"{name} {_STATES[event.event]}"]


_STATES = {
    "right": "is right again.",
    "blocked": "can't be up on this machine as it is; waiting for a change of it.",
    "down": "is down, by vlanlink down; waiting until it is up again.",
    "reverted": "was not confirmed in time: put back.",
    "refused": "is watched as before; its file can't be used as it is now.",
}
