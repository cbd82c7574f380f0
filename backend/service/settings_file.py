"""Changes to settings.toml that leave everything else in it as people wrote it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from backend.errors import InvalidError
from backend.settings import Home, Settings, sentence

Section = Mapping[str, object]


def change_settings(home: Home, **sections: Section | None) -> None:
    """Sets the named values in each section; a section that is None goes, and so does a value that is None.

    The file is replaced as a whole, and only by one that can be read.

    Raises:
        InvalidError: the file, or what would become of it, cannot be understood.
    """
    file = Path(os.path.realpath(home.settings_file))
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        document = tomlkit.parse(before)
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise InvalidError(f"{file} is not a TOML file: {error}.", "Correct it, then try again.") from None
    for name, values in sections.items():
        if values is None:
            document.pop(name, None)
        else:
            _set(document, name, values)
    try:
        Settings.model_validate(document.unwrap())
    except ValidationError as error:
        raise InvalidError(f"{file}: {sentence(error)}.", "Correct it, then try again.") from None
    home.path.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(tomlkit.dumps(document), encoding="utf-8")
    if before:
        draft.chmod(file.stat().st_mode & 0o777)
    draft.replace(file)


def _set(document: tomlkit.TOMLDocument, name: str, values: Section) -> None:
    if name not in document:
        if document.as_string().strip():
            document.add(tomlkit.nl())
        document.add(name, tomlkit.table())
    section: Any = document[name]
    for key, value in values.items():
        if value is None:
            section.pop(key, None)
        elif section.get(key) != value:
            section[key] = value
