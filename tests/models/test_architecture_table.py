"""The table of networks that needs no torch, held to the networks themselves."""

from pathlib import Path

import pytest

from models import architecture_table
from models.architecture_table import MEASURED, Table, read_table, sources_hash
from models.architectures.cost import table


def test_the_measured_sizes_are_those_of_the_networks() -> None:
    assert read_table(MEASURED) == table(), (
        "run: python -m models architectures > models/architecture_table.json"
    )


def test_a_table_of_other_sources_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("base.py", "ch.py"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(architecture_table, "SOURCES", tmp_path)
    assert read_table(MEASURED) is None
    kept = tmp_path / "kept.json"
    measured = Table.model_validate_json(MEASURED.read_bytes())
    kept.write_text(measured.model_copy(update={"sources": sources_hash()}).model_dump_json())
    assert read_table(kept) is not None
    (tmp_path / "ch.py").write_text("# changed\n")
    assert read_table(kept) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000])
def test_a_broken_table_does_not_count(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kept.json").write_bytes(content)
    assert read_table(tmp_path / "kept.json") is None
    assert read_table(tmp_path) is None
