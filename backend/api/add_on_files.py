"""The files of the add-on: as they lie in `apps_script/`, and as a bundle that a person pastes."""

import re
from pathlib import Path

from backend.errors import NotFoundError

ADD_ON = Path(__file__).parents[2] / "apps_script"
_INCLUDE = re.compile(r"<\?!= include_?\('(\w+)'\);? \?>")
_HEAD = "// Sheetrack's add-on. `sheetrack connect addon` makes this file; do not edit it.\n\n"


def page(name: str) -> str:
    """An HTML file with all that it includes, as Google evaluates it.

    Raises:
        NotFoundError: the add-on has no such file.
    """
    try:
        text = (ADD_ON / f"{name}.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"The add-on has no {name}.html.", "Install Sheetrack again.") from None
    return _INCLUDE.sub(lambda match: page(match[1]), text)


def bundle() -> dict[str, str]:
    """The add-on as two files and a manifest, by name."""
    scripts = sorted(ADD_ON.glob("*.js"))
    return {
        "Code.js": _HEAD + "\n".join(file.read_text(encoding="utf-8") for file in scripts),
        "Sidebar.html": page("Sidebar"),
        "appsscript.json": (ADD_ON / "appsscript.json").read_text(encoding="utf-8"),
    }
