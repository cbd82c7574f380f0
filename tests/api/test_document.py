"""The OpenAPI document, and requests that schemathesis makes of it, over a real server on loopback."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from backend.service.serving import serving
from backend.service.wiring import Sheetrack
from backend.settings import Home
from models.recipe import Recipe
from models.run_folder import RunFolder
from tests.speech import write_words

MORE_THAN_A_SCHEMA = (
    "/api/jobs",
    "/api/sweeps",
    "/api/servers/{name}/history",
    "/api/servers/{name}/maintenance",
)
"""A body can fit the schema and name data that is not there, or a time that ends before it begins: 400."""
REQUESTS = 6
"""How many requests are made of each operation, of each kind."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address, with its token, of a backend with a server, data and a run."""
    home = Home(tmp_path_factory.mktemp("home"))
    write_words(home.data / "tones")
    home.servers_file.write_text('[[server]]\nname = "here"\n')
    RunFolder.receive(home.runs, "r123456", Recipe(data="tones"))
    sheetrack = Sheetrack(home)
    with serving(sheetrack, 0) as opened:
        sheetrack.periodic.stop()
        sheetrack.refresh()
        yield opened


def headers(opened: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {opened.split('token=')[1]}"}


def base(opened: str) -> str:
    return opened.split("/?", maxsplit=1)[0]


@pytest.fixture(scope="module")
def schema(opened: str) -> Any:
    answer = httpx.get(f"{base(opened)}/openapi.json", headers=headers(opened), timeout=60)
    return schemathesis.openapi.from_dict(answer.json())


def test_the_document_is_valid(schema: Any) -> None:
    schema.validate()


def test_each_operation_names_its_errors(schema: Any) -> None:
    document = schema.raw_schema
    for path, item in document["paths"].items():
        for method, operation in item.items():
            codes = set(operation["responses"])
            assert {"400", "401", "403", "429", "500", "503"} <= codes, path
            assert codes & {"200", "201", "202"}, path
            assert "422" not in codes
            assert ("404" in codes) >= ("{" in path), path
            assert ("409" in codes) == (method in ("post", "delete")), path
    schemas = document["components"]["schemas"]
    assert schemas["ErrorReply"]["properties"]["error"] == {"$ref": "#/components/schemas/ErrorContent"}
    assert schemas["ErrorContent"]["properties"].keys() == {"code", "message", "hint"}
    assert schemas["Fault"]["properties"].keys() >= {"kind", "what"}
    # Two models of one name would both be called otherwise, and what refers to them would lead nowhere.
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert "JobsReply" in named
    assert named <= schemas.keys()


def known_to_the_lab(case: Any, place: int) -> None:
    """Of every second request, makes the names those of things that are there."""
    if place % 2:
        return
    known = {"name": "here" if "servers" in case.path else "Servers", "run": "r123456"}
    for name in set(known) & set(case.path_parameters or {}):
        case.path_parameters[name] = known[name]
    if isinstance(case.body, dict) and isinstance(case.body.get("server"), str):
        case.body["server"] = "here"


def ask_often(operation: Any, mode: GenerationMode, opened: str) -> int:
    """Makes requests of an operation, and every check of schemathesis on each; returns how many they were."""
    made = 0
    excluded = [positive_data_acceptance] if operation.path in MORE_THAN_A_SCHEMA else []

    @settings(
        max_examples=REQUESTS, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        nonlocal made
        made += 1
        known_to_the_lab(case, made)
        case.call_and_validate(
            base_url=base(opened), headers=headers(opened), excluded_checks=excluded, timeout=60
        )

    ask()
    return made


def can_be_asked_wrongly(operation: Any) -> bool:
    """Any text is a name in a path: what can be wrong is a parameter or a body."""
    return bool(operation.query or operation.body)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_requests_made_of_the_document_find_nothing(opened: str, schema: Any, mode: GenerationMode) -> None:
    # Who is let in is tested in test_access.py: here every request has the token.
    document = {name: part for name, part in schema.raw_schema.items() if name != "security"}
    found: Iterator[Any] = schemathesis.openapi.from_dict(document).get_all_operations()
    operations = [each.ok() for each in found]
    if mode is GenerationMode.NEGATIVE:
        operations = [operation for operation in operations if can_be_asked_wrongly(operation)]
    assert sum(ask_often(operation, mode, opened) for operation in operations) > 50
