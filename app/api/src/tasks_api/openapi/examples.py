"""Example values, put together from the examples of their parts."""

from __future__ import annotations

from typing import Any

_PLAIN = {"boolean": True, "integer": 1, "number": 1.5, "string": "text", "null": None}


def example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """A value that fits `schema`, a JSON Schema as msgspec writes it.

    Only what has a pattern or the like needs an example of its own.

    Args:
        schema: what the value is an example of.
        schemas: what it refers to, by name.
    """
    if reference := schema.get("$ref"):
        return example(schemas[reference.rpartition("/")[2]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas)
    if schema["type"] == "array":
        return [example(schema["items"], schemas)]
    if schema["type"] == "object":
        parts = schema.get("properties", {})
        return {name: example(part, schemas) for name, part in parts.items()}
    return schema.get("minimum", _PLAIN[schema["type"]])
