from models import published


def test_the_tables_are_those_that_were_published() -> None:
    rows = published.results()
    assert len(rows) == 17
    assert published.PublishedResult("ch32", 8, 0.75, False, 0.9533) in rows
    assert {row.depth for row in rows if row.architecture == "vgg"} == {16}
    assert max(rows, key=lambda row: row.accuracy) == ("ch128", 9, 0.25, True, 0.9701)


def test_the_fine_tuning_tables_have_every_cell() -> None:
    for architecture in ("ch32", "ch128"):
        cells = published.fine_tuning(architecture)
        assert len({cell[:3] for cell in cells}) == len(cells) == 9 * 4
        assert {cell.depth for cell in cells if cell.accuracy is None} == {1, 2}
    assert published.PublishedCell(8, 0.75, False, 0.9533) in published.fine_tuning("ch32")
    assert published.fine_tuning("vgg") == []
