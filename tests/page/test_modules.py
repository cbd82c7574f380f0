"""The modules of the page, which the browser is told of at once: it would find them one after the other."""

import re

from backend.api.routes.pages import WEB


def imported(name: str, known: set[str]) -> set[str]:
    """All modules that one imports, and those that they import."""
    for other in re.findall(r"(?:from|import) '\./(\w+\.js)'", (WEB / name).read_text()):
        if other not in known:
            known.add(other)
            imported(other, known)
    return known


def test_every_module_is_preloaded() -> None:
    preloaded = re.findall(
        r'<link rel="modulepreload" href="/web/(\w+\.js)">', (WEB / "page.html").read_text()
    )
    assert sorted(preloaded) == sorted(imported("page.js", set()))
