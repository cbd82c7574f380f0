"""What finished runs leave behind: results, tabs and pictures for the browser tests to look at."""

import struct
import zlib
from datetime import datetime, timedelta
from pathlib import Path

from backend.jobs.result import Result
from backend.sheets.table import Column, Section, Table
from backend.tabs.leaderboard import leaderboard_table
from backend.tabs.names import Rank, sweeps_tab
from backend.tabs.results import results_table
from backend.tabs.run import run_table
from backend.times import now
from models import published
from models.recipe import WORDS, Recipe
from models.result import DataFacts, Epoch, RunResult

RUN = "r3f2a9b"
HOSTILE = '<script>alert(1)</script> =IMPORTXML("http://192.0.2.1")'
FIGURES = ("confusion_matrix", "learning_curve")


def a_result(run: str = RUN, finished_at: datetime | None = None) -> Result:
    """Sixteen words, mostly predicted right."""
    words = WORDS
    matrix = tuple(
        tuple(
            280 + row if row == column else (row * 7 + column * 3) % 11 // 8 * (row % 4)
            for column in range(16)
        )
        for row in range(16)
    )
    clips = sum(map(sum, matrix))
    right = sum(matrix[place][place] for place in range(16))
    content = RunResult(
        run=run,
        words=words,
        test_accuracy=right / clips,
        test_accuracy_full_length=right / clips + 0.004,
        test_clips=clips,
        test_clips_full_length=clips - 300,
        validation_accuracy=0.9533,
        confusion_matrix=matrix,
        parameters=94_768,
        epochs=40,
        best_epoch=37,
        seconds=754.2,
        clips_per_second=2140,
        device="NVIDIA GeForce RTX 4090",
        data=DataFacts(name="speech16", hash="5e1f", synthetic=False),
        recipe=Recipe(
            architecture="ch32", depth=8, dropout=0.75, batch_norm=False, data="speech16", name=HOSTILE
        ),
        finished_at=finished_at or now(),
    )
    return Result(
        run=run, server="gpu2", requested_by="kim", finished_at=content.finished_at, content=content
    )


def tables() -> list[Table]:
    """What two finished runs and the published study show."""
    results = [a_result(), a_result("r77c0de", now() - timedelta(hours=5))]
    return [
        results_table(results),
        leaderboard_table(results),
        fine_tuning(),
        run_table(results[0], a_history(), FIGURES),
    ]


def a_history() -> list[Epoch]:
    """Forty epochs; the validation accuracy of one is not known."""
    return [
        Epoch(
            epoch=epoch,
            loss=2.7 / epoch**0.7,
            validation_loss=2.6 / epoch**0.6,
            train_accuracy=1 - 0.9 / epoch**0.8,
            validation_accuracy=None if epoch == 20 else 1 - 0.92 / epoch**0.75,
        )
        for epoch in range(1, 41)
    ]


def fine_tuning() -> Table:
    """The published table of ch32: depth by dropout and batch norm, `X` where it was not run."""
    cells = published.fine_tuning("ch32")
    choices = sorted({(cell.batch_norm, cell.dropout) for cell in cells})
    depths = sorted({cell.depth for cell in cells})
    accuracy = {(cell.depth, cell.batch_norm, cell.dropout): cell.accuracy for cell in cells}
    section = Section(
        title="Published",
        note="Test accuracy on full-length clips.",
        columns=(
            Column(title="Depth", width=8),
            *(
                Column(title=f"DO({dropout:g}){'+BN' if norm else ''}", format="accuracy", heat=True)
                for norm, dropout in choices
            ),
        ),
        rows=tuple(
            (str(depth), *(accuracy[depth, *choice] or "X" for choice in choices)) for depth in depths
        ),
        heat="good",
    )
    return Table(name=sweeps_tab("ch32"), rank=Rank.SWEEPS, sections=(section,))


def write_run(run: Path) -> None:
    """A run folder with pictures that is complete enough to be asked for them."""
    draw_figures(run)
    (run / "recipe.json").write_text(Recipe(data="speech16").model_dump_json())
    (run / "history.jsonl").write_text("".join(f"{line.model_dump_json()}\n" for line in a_history()))


def draw_figures(run: Path) -> None:
    """Puts real PNG files of one colour among a run's pictures."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    width, height = 640, 420
    rows = (b"\0" + b"\x0b\x57\xd0" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    (run / "figures").mkdir(parents=True, exist_ok=True)
    for name in FIGURES:
        (run / "figures" / f"{name}.png").write_bytes(png)
