"""The tabs of analyses."""

from pathlib import Path

from backend.sheets.table import Sound, Spark, Text
from backend.tabs.explain import explanation_table, explanations_section
from backend.tabs.names import is_explanation_tab
from models.explanation_report import report
from models.run_folder import RunFolder
from tests.tabs.explained import FOUND


def test_a_tab_tells_how_to_read_it_then_shows_picture_and_table() -> None:
    table = explanation_table(FOUND)
    facts, picture, rows = table.sections
    assert table.name == "Likes r1"
    assert is_explanation_tab(table.name)
    assert not is_explanation_tab("Run r1")
    assert [row[0] for row in facts.rows] == [
        "How to read it",
        "What chance gives",
        "Found",
        "Notice",
        "Again",
    ]
    assert facts.rows[-1][1] == "sheetrack explain likes r1"
    assert [(each.run, each.figure) for each in picture.pictures] == [("r1", "explain_likes")]
    assert next((column.title, column.format) for column in rows.columns) == ("Centre (Hz)", "integer")
    number, curve, clip, lost = rows.rows[0]
    assert (number, lost) == (1000, 0.125)
    assert isinstance(curve, Spark)
    assert (curve.values, curve.style) == ((1.0, -1.0), "column")
    assert clip == Text(text="cat", note="at 0.25 s", sound=Sound(run="r1", clip="cat/a.wav"))
    assert rows.rows[1] == (None, Spark(values=(0.0,), style="column", label="0"), None, None)


def test_the_tab_of_the_run_links_to_it() -> None:
    assert explanations_section([]) == []
    (section,) = explanations_section([FOUND])
    assert section.rows == ((Text(text="Likes r1", tab="Likes r1"), "Layer 1 likes <b>."),)


def test_the_report_stands_alone(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "r1")
    folder.figures.mkdir(parents=True)
    (folder.figures / "explain_likes.png").write_bytes(b"\x89PNG")
    page = report(folder, [FOUND])
    assert "Layer 1 likes &lt;b&gt;." in page
    assert "data:image/png;base64,iVBORw==" in page
    assert "cat/a.wav at 0.25 s" in page
    assert "+12.5 pp" in page
    assert "http" not in page
    (folder.figures / "explain_likes.png").unlink()
    assert "The picture is missing." in report(folder, [FOUND])
