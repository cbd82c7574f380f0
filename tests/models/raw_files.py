"""The files of a run as plain JSON, without the models under test."""

import json
from typing import Any

from models.recipe import Recipe
from models.run_folder import RunFolder


def recipe_of(folder: RunFolder) -> Recipe:
    return Recipe.model_validate_json(folder.recipe_file.read_bytes())


def raw_result(folder: RunFolder) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(folder.result_file.read_bytes())
    return content


def raw_history(folder: RunFolder) -> list[dict[str, Any]]:
    """The whole lines so far."""
    if not folder.history_file.exists():
        return []
    return [json.loads(line) for line in folder.history_file.read_bytes().split(b"\n")[:-1]]


def raw_progress(folder: RunFolder) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(folder.progress_file.read_bytes())
    return content
