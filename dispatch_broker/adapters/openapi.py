"""The OpenAPI 3.1 document of the broker's plain HTTP; the session's frames are described in docs/PROTOCOL.md."""

from typing import Any

from pydantic import BaseModel

from dispatch_broker.adapters import openapi_login
from dispatch_broker.adapters.http import Health
from dispatch_broker.adapters.pairing import PairingMessage, PairingMessages
from dispatch_broker.core.refusal import STATUS, BrokerCode
from dispatch_protocol.limits import SAFE_INTEGER

Schema = dict[str, Any]

_TOKEN = "The short token of a device's open session."

_ID = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_HEX = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": SAFE_INTEGER}
_LEAVING = (
    BrokerCode.TOKEN_INVALID,
    BrokerCode.MALFORMED,
    BrokerCode.NO_EDGE,
    BrokerCode.EDGE_REVOKED,
    BrokerCode.EDGE_EXPIRED,
    BrokerCode.TOO_LARGE,
    BrokerCode.QUOTA,
    BrokerCode.UNAVAILABLE,
)
_DSSE: Schema = {
    "type": "object",
    "description": "A signed document in the JSON form of DSSE v1.",
    "required": ["payloadType", "payload", "signatures"],
    "additionalProperties": False,
    "properties": {
        "payloadType": {"type": "string"},
        "payload": {"type": "string", "description": "The signed body, unpadded base64url."},
        "signatures": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["keyid", "sig"],
                "additionalProperties": False,
                "properties": {"keyid": _HEX, "sig": {"type": "string"}},
            },
        },
    },
}
_PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457, with a stable code.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_CHAIN: Schema = {
    "type": "object",
    "required": ["links"],
    "additionalProperties": False,
    "properties": {
        "links": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Document"}}
    },
}
_MODELS: dict[str, type[BaseModel]] = {
    "Health": Health,
    **openapi_login.MODELS,
    "PairingMessage": PairingMessage,
    "PairingMessages": PairingMessages,
}


def document(*, version: str, public_url: str, dev: bool, metrics: bool = False) -> Schema:
    """Return the document of this broker: what is not served is not in it."""
    paths = {
        "/health": _get("Whether this broker takes sessions.", "Health", also=(BrokerCode.DRAINING,)),
        "/v1/openapi.json": _get("This document.", None),
        "/v1/session": _session(),
        "/v1/invitations/{id}": _get(
            "An invitation's public signed document.", "Document", ("id", _ID), also=(BrokerCode.NOT_FOUND,)
        ),
        "/v1/chains/{genesis}": _get(
            "An identity's public chain, oldest link first, by its fingerprint or its first 16 digits.",
            "Chain",
            ("genesis", {"type": "string", "pattern": "^([0-9a-f]{16}|[0-9a-f]{64})$"}),
            also=(BrokerCode.NOT_FOUND,),
        ),
        "/v1/pairings/{place}": _pairings(),
        "/v1/pairings/{place}/verdict": {"post": _left("Say what the person at the new machine has found.")},
        "/v1/blobs/{address}": _blobs(),
        "/i/{id}": _page(),
    }
    for path, operation in openapi_login.operations(dev=dev).items():
        paths[path] = _login(*operation, status="202" if path == "/v1/login/mail" else "200")
    if metrics:
        paths["/metrics"] = _metrics()
    schemas = {name: model.model_json_schema() for name, model in _MODELS.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Dispatch broker", "version": version, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Document": _DSSE, "Chain": _CHAIN, "Problem": _PROBLEM},
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer", "description": _TOKEN}},
        },
    }


def _refused(*codes: BrokerCode) -> Schema:
    """Describe the refusals that an operation knows, by status; every one may also be too many (429)."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    statuses: dict[str, list[str]] = {}
    for code in (*codes, BrokerCode.RATE_LIMITED, BrokerCode.DEV_ONLY_DIRECT):
        statuses.setdefault(str(STATUS[code]), []).append(code.value)
    return {
        status: {"description": ", ".join(words), "content": content}
        for status, words in sorted(statuses.items())
    }


def _get(
    summary: str,
    schema: str | None,
    parameter: tuple[str, Schema] | None = None,
    *,
    also: tuple[BrokerCode, ...] = (),
) -> Schema:
    shown = {"$ref": f"#/components/schemas/{schema}"} if schema else {"type": "object"}
    operation: Schema = {
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": {"application/json": {"schema": shown}}},
            **_refused(*also),
        },
    }
    if parameter is not None:
        operation["parameters"] = [_in_path(*parameter)]
    return {"get": operation}


def _in_path(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str, schema: Schema, words: str, *, required: bool = True) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": words}


def _page() -> Schema:
    html = {"text/html": {"schema": {"type": "string"}}}
    return {
        "get": {
            "summary": "The page behind an invitation's link; looking at it changes nothing.",
            "parameters": [_in_path("id", _ID)],
            "responses": {
                "200": {"description": "Who invites whom, and what to type.", "content": html},
                "404": {"description": "No such invitation.", "content": html},
                **_refused(),
            },
        }
    }


def _session() -> Schema:
    return {
        "get": {
            "summary": "A device's session: WebSocket, binary messages of frames (docs/PROTOCOL.md).",
            "responses": {
                "101": {"description": "The session begins with the broker's challenge."},
                **_refused(BrokerCode.UPGRADE_NEEDED, BrokerCode.BROWSER_REFUSED, BrokerCode.DRAINING),
            },
        }
    }


def _blobs() -> Schema:
    """Describe sealed files: announced, left, fetched and forgotten, by a device with its short token."""
    kept = {
        "type": "object",
        "required": ["offset", "kept"],
        "properties": {"offset": {"type": "integer"}, "kept": {"type": "boolean"}},
    }
    answer = {"application/json": {"schema": kept}}
    data = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    left = [
        _in_query("edge", _ID, "for whom: the other side of this edge"),
        _in_query("size", _COUNT, "bytes of the whole blob"),
        _in_query("expires", _COUNT, "until when, in milliseconds since 1970"),
    ]
    at = _in_query("offset", _COUNT, "where these bytes begin", required=False)
    theirs = (BrokerCode.TOKEN_INVALID, BrokerCode.NOT_FOUND)
    operations: dict[str, Schema] = {
        "post": {
            "summary": "Ask whether a sealed file may be left, and how much of it is here.",
            "parameters": left,
            "responses": {"200": {"description": "It may.", "content": answer}, **_refused(*_LEAVING)},
        },
        "put": {
            "summary": "Leave the bytes of a sealed file from an offset to its end.",
            "parameters": [*left, at],
            "requestBody": {"required": True, "content": data},
            "responses": {
                "200": {"description": "It was here already.", "content": answer},
                "201": {"description": "It is kept.", "content": answer},
                **_refused(*_LEAVING, BrokerCode.OFFSET_WRONG, BrokerCode.BLOB_ADDRESS),
            },
        },
        "get": {
            "summary": "The bytes of a sealed file, or a range of them.",
            "responses": {
                "200": {"description": "All of it.", "content": data},
                "206": {"description": "The range.", "content": data},
                "416": {"description": "There is no such range."},
                **_refused(*theirs),
            },
        },
        "delete": {
            "summary": "Say that a sealed file is here: the broker may forget it.",
            "responses": {"204": {"description": "Forgotten."}, **_refused(*theirs, BrokerCode.UNAVAILABLE)},
        },
    }
    for operation in operations.values():
        operation["security"] = [{"session": []}]
        operation["parameters"] = [_in_path("address", _HEX), *operation.get("parameters", [])]
    return operations


def _pairings() -> Schema:
    """Describe the meeting place of a new machine and one that has a session; its name is derived from their secret."""
    asking = _get(
        "What the device that began a pairing has said.",
        "PairingMessages",
        ("place", _HEX),
        also=(BrokerCode.NOT_FOUND,),
    )
    return {**asking, "post": _left("Say the message by which the new machine joins.")}


def _left(summary: str) -> Schema:
    """Describe a message that the new machine leaves at its place."""
    return {
        "summary": summary,
        "parameters": [_in_path("place", _HEX)],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PairingMessage"}}},
        },
        "responses": {
            "204": {"description": "It is there."},
            **_refused(
                BrokerCode.MALFORMED,
                BrokerCode.NOT_FOUND,
                BrokerCode.NOT_PENDING,
                BrokerCode.BROWSER_REFUSED,
                BrokerCode.TOO_LARGE,
                BrokerCode.MEDIA_TYPE,
            ),
        },
    }


def _metrics() -> Schema:
    """Describe the operator's door; where it is, this public document does not tell."""
    place = {"default": "127.0.0.1", "description": "What the operator gave to --metrics."}
    return {
        "servers": [{"url": "http://{metrics}", "variables": {"metrics": place}}],
        "get": {
            "summary": "Counts and gauges for the operator, on a listener of their own.",
            "responses": {
                "200": {
                    "description": "The text format of Prometheus, or OpenMetrics where it is asked for.",
                    "content": {
                        "text/plain": {"schema": {"type": "string"}},
                        "application/openmetrics-text": {"schema": {"type": "string"}},
                    },
                },
                **_refused(BrokerCode.NOT_FOUND),
            },
        },
    }


def _login(
    summary: str, body: str, answer: str, media_type: str, codes: tuple[BrokerCode, ...], *, status: str
) -> Schema:
    """Describe one request of a sign-in; its refusals say OAuth's word in `error` too."""
    asked, said = ({"schema": {"$ref": f"#/components/schemas/{name}"}} for name in (body, answer))
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": {media_type: asked}},
            "responses": {
                status: {"description": summary, "content": {"application/json": said}},
                **_refused(*codes),
            },
        }
    }
