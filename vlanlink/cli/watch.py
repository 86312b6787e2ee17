"""``vlanlink watch FILE``."""

import argparse
import signal
import sys
from contextlib import closing
from functools import partial
from types import FrameType

import vlanlink
from vlanlink.cli import arguments as shared
from vlanlink.cli import output, streams
from vlanlink.cli.sd_notify import Service

EXAMPLES = ("sudo vlanlink watch office.toml", "sudo vlanlink watch office.toml --no-repair --json")
EXITS = {
    0: "stopped by SIGTERM; everything stays up",
    1: "the topology is up from another file",
    2: "the command line or the file has errors; nothing was changed",
    4: "a privilege is missing",
    130: "Ctrl-C; everything stays up",
}
READ_ON = "docs/watch.md"


def arguments(parser: argparse.ArgumentParser) -> None:
    """FILE [--no-repair] [--replace] [--wait SECONDS] [--json]."""
    shared.add_file(parser)
    parser.add_argument("--no-repair", action="store_true", help="report drift, change nothing")
    shared.add_replace(parser)
    shared.add_wait(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per line and event")


def run(options: argparse.Namespace) -> int:
    """Exit 0 on SIGTERM, 130 on Ctrl-C; everything stays up."""
    topology = shared.read(options.file)
    streams.leave_out(_left_out_json(topology.name) if options.json else _left_out, _left_out)
    output.print_notes(topology.warnings)
    service = Service(ready_at_once=options.no_repair)

    def on_event(event: "vlanlink.Event") -> None:
        lines = _lines(event)
        if options.json:
            sys.stdout.write(output.json_text(event.to_dict()) + "\n")
        else:
            output.say(*lines)
            output.print_notes(event.diagnostics)
        service.report(event.event, lines[0])

    watch = vlanlink.Watch(
        topology,
        on_event=on_event,
        repair=not options.no_repair,
        replace_file=options.replace,
        on_beat=service.beat,
        beat_seconds=service.beat_seconds,
        wait=options.wait,
        on_wait=partial(output.print_waiting, seconds=options.wait),
    )
    if not sys.stdin.isatty():  # on a terminal SIGHUP ends the watch
        signal.signal(signal.SIGHUP, lambda *_: watch.reload())
    received: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        watch.stop()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with closing(service):
        try:
            watch.run()
        except vlanlink.Interrupted:
            if signal.SIGTERM not in received:
                raise
    return vlanlink.Interrupted.exit_code if signal.SIGINT in received else 0


def _left_out(lines: int) -> str:
    return f"{lines} line{'s' * (lines != 1)} left out: nobody read them\n"


def _left_out_json(topology: str) -> "streams.Note":
    def event(lines: int) -> str:
        missing = vlanlink.Event("left_out", topology, (_left_out(lines).strip(),))
        return output.json_text(missing.to_dict()) + "\n"

    return event


def _lines(event: "vlanlink.Event") -> list[str]:
    """An event in words, without its diagnostics."""
    name = event.topology
    done = f": {output.done(event.plan)}." if event.plan else "."
    match event.event:
        case "drift":
            return [f"drift: {what}" for what in event.what]
        case "given_up":
            who = ", ".join(event.suspects) or "something else"
            return [f"given up: {what}; {who} keeps reverting the repair" for what in event.what]
        case "failed":
            return [f"{name}: repair failed; next try in {event.retry_seconds:.3g} s"]
        case "up":
            return [f"{name} is up{done}"]
        case "repaired":
            return [f"{name} repaired{done}"]
        case "reloaded":
            return [f"{name}: {event.what[0]} reloaded."]
        case "replaced":
            return [f"{name} is up from {event.what[0]} now; this watch leaves it alone."]
        case "blocked" if event.what:
            return [f"{name}: waiting for {', '.join(event.what)}; the rest stays up."]
        case "ended":
            return [f"{name}: {what} has ended." for what in event.what]
        case "attached":
            return [f"{name}: {what} is attached again." for what in event.what]
        case "waiting":
            return [f"{name} waits for confirmation: {event.what[0]}."]
    return [f"{name} {_STATES[event.event]}"]


_STATES = {
    "in_sync": "is in sync again.",
    "blocked": "can't come up on this machine as it is; waiting for a change.",
    "down": "was taken down; waiting until it is up again.",
    "reverted": "was not confirmed in time: rolled back.",
    "refused": "is watched as before; its file can't be used.",
}
