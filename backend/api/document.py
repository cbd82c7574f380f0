"""The OpenAPI document, completed with what holds for every address: who may ask, and how each error looks."""

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from backend.api.access import KEY_HEADER
from backend.reply import ErrorReply

_ERRORS = {
    "400": "The request makes no sense.",
    "401": "The request has no valid token, session or identity.",
    "403": "The person may not do this, or the request comes from another site.",
    "404": "There is nothing of that name.",
    "409": "It cannot be done in the state things are in.",
    "413": "The request is larger than 1 MiB.",
    "429": "Too many requests were sent.",
    "500": "Something in Sheetrack failed.",
    "503": "Something else has to work first, such as a disk with space.",
}
_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The home's token, from this machine; at the public address a Google identity token.",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": KEY_HEADER,
        "description": "Of the local page's session, beside its cookie, for requests that change something.",
    },
}
_REFERENCE = "#/components/schemas/{model}"
_models: dict[str, type[BaseModel]] = {}
"""What addresses answer with, by name. Their schemas take half a second, and are made for those who ask."""


def json_of(model: type[BaseModel]) -> dict[str, Any]:
    """The response of an address that answers with `model`."""
    _models[model.__name__] = model
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    return {"content": {"application/json": {"schema": schema}}}


def png(description: str) -> dict[str, Any]:
    """The response of an address that answers with a picture."""
    return binary(description, "image/png")


def binary(description: str, media_type: str) -> dict[str, Any]:
    """The response of an address that answers with a file."""
    return {"description": description, "content": {media_type: {}}}


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document of flask-openapi3 with the security schemes, and each operation with its errors."""
    components = document["components"]
    schemas = {
        name: schema for name, schema in components["schemas"].items() if name != "ValidationErrorModel"
    }
    models: list[type[BaseModel]] = [*_models.values(), ErrorReply]
    answers: list[tuple[type[BaseModel], Literal["serialization"]]] = [
        (model, "serialization") for model in models
    ]
    schemas |= models_json_schema(answers, ref_template=_REFERENCE)[1]["$defs"]
    return {
        **document,
        "components": {"schemas": schemas, "securitySchemes": _SCHEMES, "responses": _responses()},
        "security": [{"token": []}],
        "paths": {
            path: {method: _operation(path, method, operation) for method, operation in item.items()}
            for path, item in document["paths"].items()
        },
    }


def _responses() -> dict[str, Any]:
    content = {
        "application/json": {"schema": {"$ref": "#/components/schemas/ErrorReply"}},
        # To a person, in a browser's address line.
        "text/html": {"schema": {"type": "string"}},
    }
    return {code: {"description": sentence, "content": content} for code, sentence in _ERRORS.items()}


def _operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    left_out = {"422"}
    changes = method in ("post", "delete")
    names_one = "{" in path or any(field["in"] == "query" for field in operation.get("parameters", ()))
    if not names_one and not changes:
        left_out.add("404")
    if not changes:
        left_out |= {"409", "413"}
    errors = {code: {"$ref": f"#/components/responses/{code}"} for code in _ERRORS if code not in left_out}
    answers = {code: answer for code, answer in operation["responses"].items() if code != "422"}
    return {**operation, "responses": answers | errors}
