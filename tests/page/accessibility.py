"""What axe-core finds wrong for people who cannot see, or not well, or use no mouse."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"


def violations(frame: Page | Frame) -> list[str]:
    """What axe finds, as `rule: element`. It runs in the document itself, whatever its security policy."""
    if not AXE.exists():
        pytest.fail("axe-core is missing: npm install --no-package-lock --ignore-scripts")
    if not frame.evaluate("'axe' in window"):
        frame.evaluate(AXE.read_text(encoding="utf-8"))
    found = frame.evaluate(
        "axe.run(document, { iframes: false, resultTypes: ['violations'] })"
        ".then(result => JSON.stringify(result.violations))"
    )
    return [f"{rule['id']}: {node['html']}" for rule in json.loads(found) for node in rule["nodes"]]
