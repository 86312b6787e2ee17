"""JSON schemas of what --json prints: docs/json.schema.json, by verb.

The published schema allows more keys, as later versions may add some; the tests do not.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema

PAGE: Final = Path(__file__).parents[1] / "docs/json.schema.json"
Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
BOOL: Final[Schema] = {"type": "boolean"}
VERSION: Final[Schema] = {"const": 1, "description": "changes if a key changes its meaning"}


def null_or(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def word(*words: str) -> Schema:
    return {"enum": list(words)}


def each(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def table(optional: Mapping[str, Schema] | None = None, /, **required: Schema) -> Schema:
    """An object; a key ``from_`` is named ``from``."""
    properties = {key.removesuffix("_"): value for key, value in required.items()}
    needed = list(properties)
    return {"type": "object", "properties": {**properties, **(optional or {})}, "required": needed}


TOPOLOGY: Final[Schema] = {"type": "string", "description": "name of the topology"}
CHANGES: Final = each(ref("change"))
WARNINGS: Final = {"warnings": each(ref("diagnostic"))}
PARTS: Final[dict[str, Schema]] = {
    "change": table(
        action=word("create", "change", "delete"),
        object=word("namespace", "link", "address", "route", "sysctl", "file"),
        namespace={**null_or(TEXT), "description": "null: the host"},
        name=TEXT,
        summary=TEXT,
    ),
    "attachment": table(
        topology=TOPOLOGY,
        network=TEXT,
        id=TEXT,
        namespace={"type": "string", "description": "the id"},
        interface=TEXT,
        mac=null_or(TEXT),
        addresses=each(TEXT),
        gateways=each(TEXT),
        routes=each(table(to=TEXT, via=null_or(TEXT))),
        dns=each(TEXT),
        live={"type": "boolean", "description": "its namespace is there"},
    ),
    "step": table(
        action=word("create", "change", "delete"),
        object=word("file", "unit"),
        name=TEXT,
        summary=TEXT,
    ),
    "diagnostic": table(
        file=null_or(TEXT),
        line=null_or(COUNT),
        column=null_or(COUNT),
        path={**null_or(TEXT), "description": "the entry of the file: networks.pub.parent"},
        message=TEXT,
        hint=null_or(TEXT),
    ),
    "waiting": table(seconds_left=NUMBER, until=TEXT, command=TEXT),
    "subnet": table(
        subnet=TEXT,
        gateway=null_or(TEXT),
        ip_range=null_or(TEXT),
        aux_addresses={"type": "object", "additionalProperties": TEXT},
    ),
    "network": table(
        topology=TOPOLOGY,
        name=TEXT,
        kind=TEXT,
        mode=TEXT,
        parent=null_or(TEXT),
        subnets=each(TEXT),
        endpoints=COUNT,
    ),
    "endpoint": table(
        {"topology": TOPOLOGY, "network": TEXT},
        namespace=TEXT,
        interface=TEXT,
        mac=null_or(TEXT),
        addresses=each(TEXT),
        by_dhcp=each(TEXT),
    ),
    "host_link": table(
        name=TEXT,
        role=word("parent", "shim", "link"),
        kind=TEXT,
        mac=null_or(TEXT),
        addresses=each(TEXT),
    ),
    "lease": table(
        topology=TOPOLOGY,
        network={**null_or(TEXT), "description": "null: none, or of a topology that is down"},
        parent=null_or(TEXT),
        namespace={**null_or(TEXT), "description": "null: the host's shim"},
        interface=TEXT,
        address=TEXT,
        in_use=BOOL,
        attached={**BOOL, "description": "an attachment; namespace is its id"},
        server={**null_or(TEXT), "description": "the DHCP server that gave the address"},
        seconds={**null_or(NUMBER), "description": "of the server's lease, left"},
    ),
    "finding": table(
        code=TEXT,
        severity=word("failure", "warning", "note"),
        what=TEXT,
        why=TEXT,
        command=null_or(TEXT),
        file=null_or(TEXT),
        line=null_or(COUNT),
        column=null_or(COUNT),
        path=null_or(TEXT),
    ),
    "pair": table(
        {
            "expected": word("reachable", "unreachable"),
            "ok": BOOL,
            "cause": null_or(TEXT),
            "facts": each(TEXT),
        },
        from_={"type": "string", "description": "host, gateway, or a namespace"},
        to=TEXT,
        address=TEXT,
        family=word(4, 6),  # type: ignore[arg-type]
        interface=null_or(TEXT),
        measured=null_or(word("reachable", "unreachable")),
        reason=null_or(TEXT),
        kind=TEXT,
    ),
    "log_entry": table(time=TEXT, message=TEXT, program=TEXT, priority=null_or(COUNT)),
}
STATE: Final = word("up", "drifted", "down")
_PLAN = table(topology=TOPOLOGY, changes=CHANGES)
_UP = table(
    {"timings": {"type": "object", "additionalProperties": NUMBER}, "confirmed": BOOL},
    topology=TOPOLOGY,
    changes=CHANGES,
)
_FAILED = table({"not_undone": each(TEXT)}, topology=TOPOLOGY, errors=each(ref("diagnostic")))
_STATUS = table(
    WARNINGS,
    topology=TOPOLOGY,
    state=STATE,
    changes=CHANGES,
    problems=each(ref("diagnostic")),
    waiting=null_or(ref("waiting")),
)
_AT_BOOT = table(topology=TOPOLOGY, enabled=BOOL, changes=each(ref("step")))
_CHECKED = table(
    {"file": TEXT},
    topology=null_or(TEXT),
    errors=each(ref("diagnostic")),
    warnings=each(ref("diagnostic")),
)


def several(one: Schema, key: str, many: Schema) -> Schema:
    """The document of one topology, or of many below ``key``."""
    if "properties" in many:
        many = {**many, "properties": {**many["properties"], "version": VERSION}}
    return {"anyOf": [one, table(WARNINGS, **{key: each(many)})]}


DOCUMENTS: Final[dict[str, Schema]] = {
    "up": several(_UP, "topologies", {"anyOf": [_UP, _FAILED]}),
    "down": several(_PLAN, "topologies", {"anyOf": [_PLAN, _FAILED]}),
    "restart": _PLAN,
    "plan": _PLAN,
    "status": several(_STATUS, "topologies", _STATUS),
    "verify": table(
        topology=TOPOLOGY,
        state=STATE,
        ok=BOOL,
        endpoints=COUNT,
        sampled=COUNT,
        checks=each(ref("pair")),
        unjudged=each(ref("pair")),
        unmeasured=each(ref("pair")),
    ),
    "confirm": table(topology=TOPOLOGY, confirmed=BOOL),
    "watch": table(
        event=TEXT,
        topology=TOPOLOGY,
        what=each(TEXT),
        changes=CHANGES,
        errors=each(ref("diagnostic")),
        warnings=each(ref("diagnostic")),
        retry_seconds=null_or(NUMBER),
        suspects=each(TEXT),
    ),
    "ls": table({**WARNINGS, "endpoints": each(ref("endpoint"))}, networks=each(ref("network"))),
    "inspect": table(
        WARNINGS,
        **{
            **PARTS["network"]["properties"],
            "subnets": each(ref("subnet")),
            "endpoints": each(ref("endpoint")),
            "host_links": each(ref("host_link")),
        },
    ),
    "attach": PARTS["attachment"],
    "detach": table(topology=TOPOLOGY, network=TEXT, id=TEXT),
    "attachments": table(attachments=each(ref("attachment"))),
    "leases": table(leases=each(ref("lease"))),
    "validate": several(_CHECKED, "files", _CHECKED),
    "import": table(
        topology=TOPOLOGY,
        text={"type": "string", "description": "the topology, in TOML"},
        warnings=each(ref("diagnostic")),
        decisions=each(ref("diagnostic")),
    ),
    "export": table(
        topology=TOPOLOGY,
        files={
            "type": "object",
            "additionalProperties": TEXT,
            "description": "content by file name",
        },
        warnings=each(ref("diagnostic")),
    ),
    "fmt": table(files=each(table(file=TEXT, changed=BOOL))),
    "doctor": table(topology=null_or(TEXT), ok=BOOL, findings=each(ref("finding"))),
    "enable": _AT_BOOT,
    "disable": _AT_BOOT,
    "logs": {"anyOf": [table(topology=TOPOLOGY, entries=each(ref("log_entry"))), ref("log_entry")]},
}
"""By verb; each may be an error instead."""


def published() -> Schema:
    """The schema in the docs."""
    error = table({"not_undone": each(TEXT)}, errors=each(ref("diagnostic")))
    documents = {
        verb: {"anyOf": [versioned(schema), ref("error")]} for verb, schema in DOCUMENTS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What vlanlink VERB --json prints: #/$defs/VERB",
        "$defs": {**documents, "error": versioned(error), **PARTS},
    }


def versioned(schema: Schema) -> Schema:
    """The schema of a whole document: it begins with its version."""
    if "anyOf" in schema:
        return {"anyOf": [versioned(one) if "$ref" not in one else one for one in schema["anyOf"]]}
    properties = {"version": VERSION, **schema["properties"]}
    return {**schema, "properties": properties, "required": ["version", *schema["required"]]}


def _strict(schema: Any) -> Any:
    """The same schema, without room for keys that it does not name."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    return found | {"additionalProperties": False} if "required" in found else found


@cache
def _validator(verb: str) -> jsonschema.Draft202012Validator:
    whole = _strict(published())
    return jsonschema.Draft202012Validator({**whole, "$ref": f"#/$defs/{verb}"})


def judge(verb: str, document: Mapping[str, object]) -> None:
    """Fail if a document is not what the schema says; a verb without schema is not judged."""
    if verb in DOCUMENTS:
        _validator(verb).validate(json.loads(json.dumps(document)))
