"""The OpenAPI 3.1 document of the door, made from the route table and the models and from nothing else.

OpenAPI 3.1 speaks JSON Schema 2020-12, as pydantic does, so the models' own schemas stand in the document unchanged.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dispatch_daemon.adapters.loopback.answers import ANSWERS, Problem
from dispatch_daemon.adapters.loopback.models import MODELS
from dispatch_daemon.adapters.loopback.route import Kind, Route
from dispatch_daemon.adapters.loopback.routes import ID_CHARS, KEY_CHARS, ROUTES

DISTRIBUTION: Final = "dispatch-courier"
_REF: Final = "#/components/schemas/{model}"
_MEDIA: Final = {Kind.STREAM: "text/event-stream", Kind.DOWNLOAD: "application/octet-stream"}
_PROBLEM: Final = "application/problem+json"


def describe() -> dict[str, Any]:
    """Return the whole document as JSON."""
    schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dispatch: the local door",
            "version": _version(),
            "description": "What programs of the same user may ask of the daemon, on its Unix socket and on 127.0.0.1.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The content of local.token in the home; on the Unix socket it may be absent.",
                }
            },
        },
        "security": [{"token": []}],
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    """Describe one route."""
    media = _MEDIA.get(route.kind, "application/json")
    schema: dict[str, Any] = {"$ref": _REF.format(model=route.answer)}
    if route.kind is Kind.DOWNLOAD:
        schema = {"type": "string", "format": "binary"}
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "parameters": _parameters(route, schemas),
        "responses": {
            str(route.status): {
                "description": route.summary,
                "content": {media: {"schema": schema}},
            },
            "4XX": {
                "description": "Refused; `code` says why and `hint` what to do next.",
                "content": {_PROBLEM: {"schema": {"$ref": _REF.format(model="Problem")}}},
            },
        },
    }
    if route.kind is Kind.UPLOAD:
        operation["requestBody"] = {
            "required": False,  # no bytes at all are an empty file
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    if route.body is not None:
        operation["requestBody"] = {
            "required": bool(schemas[route.body].get("required")),
            "content": {"application/json": {"schema": {"$ref": _REF.format(model=route.body)}}},
        }
    return operation


def _parameters(route: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe what stands in the path, in the query and in headers."""
    identifier = {"type": "string", "minLength": 1, "maxLength": ID_CHARS, "pattern": "^[A-Za-z0-9_-]+$"}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": identifier} for name in route.parameters
    ]
    if route.query is not None:
        found += [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in schemas[route.query]["properties"].items()
        ]
    if route.keyed:
        key = {"type": "string", "minLength": 1, "maxLength": KEY_CHARS}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    return found


def _schemas() -> dict[str, Any]:
    """Collect the schemas of everything that may be asked or answered, and what those refer to."""
    asked = [MODELS[name] for route in ROUTES for name in (route.body, route.query) if name is not None]
    answered: list[type[BaseModel]] = [
        ANSWERS[route.answer] for route in ROUTES if route.kind is not Kind.DOWNLOAD
    ]
    wanted: dict[type[BaseModel], None] = dict.fromkeys([*asked, *answered, Problem])
    _, schema = models_json_schema([(model, "validation") for model in wanted], ref_template=_REF)
    return dict(schema["$defs"])


def _version() -> str:
    """Name the installed version; a source tree that was never installed has none."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0"
