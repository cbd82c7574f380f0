"""`python -m models data`: prepares and describes data sets."""

from pathlib import Path

import click
from rich.progress import TaskID

from models.progress_bar import ProgressLines, progress_bar
from models.published import CLIPS

PATH = click.Path(path_type=Path)


@click.group()
def data() -> None:
    """Prepares and describes data sets."""


@data.group()
def prepare() -> None:
    """Makes a data set ready to train on."""


@prepare.command()
@click.argument("folder", type=PATH)
@click.option(
    "--clips-a-word", default=225, show_default=True, type=click.IntRange(25, 5000), help="Training clips."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
def synthetic(folder: Path, clips_a_word: int, seed: int) -> None:
    """Makes synthetic speech of the sixteen words in FOLDER."""
    from models.data.synthetic import prepare as prepare_synthetic  # noqa: PLC0415

    with progress_bar() as progress:
        line = progress.add_task("voices")
        lines = ProgressLines()

        def report(done: int, of: int) -> None:
            progress.update(line, completed=done, total=of)
            lines.tell(f"{done} of {of} voices have spoken")

        written = prepare_synthetic(folder.absolute(), clips_a_word=clips_a_word, seed=seed, report=report)
    click.echo(f"{folder}: synthetic speech {'written' if written else 'exists already'}")


@prepare.command(name="speech-commands")
@click.argument("folder", type=PATH)
def speech_commands(folder: Path) -> None:
    """Downloads Speech Commands v0.02 (2.4 GB) into FOLDER and reads its clips."""
    from models.data import download  # noqa: PLC0415
    from models.data.clips import open_clips  # noqa: PLC0415
    from models.data.speech_commands import SPLITS, read_folder  # noqa: PLC0415

    with progress_bar() as progress:
        lines: dict[str, TaskID] = {}
        told = ProgressLines()

        def report(doing: str, done: int, total: int | None) -> None:
            if doing not in lines:
                lines[doing] = progress.add_task(doing)
            progress.update(lines[doing], completed=done, total=total)
            told.tell(f"{doing}: {done:,}{f' of {total:,}' if total else ''}")

        fetched = download.prepare(folder.absolute(), report=report)
        clips = open_clips(read_folder(folder.absolute()), lambda done, of: report("reading clips", done, of))
    click.echo(f"{folder}: Speech Commands v0.02 {'fetched' if fetched else 'exists already'}")
    for split in SPLITS:
        count, published = len(clips.of(split)), CLIPS[split]
        note = "as published" if count == published else f"published: {published:,}, {count - published:+,}"
        click.echo(f"{split}: {count:,} clips ({note})")
    for notice in clips.notices:
        click.echo(f"note: {notice}")


@data.command()
@click.argument("folder", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--progress", "lines", is_flag=True, help="Print the progress as lines on stderr.")
@click.option("--seconds", default=1.0, show_default=True, help="Of a window.")
@click.option("--sample-rate", default=16000, show_default=True, help="Hz.")
def describe(folder: Path, *, as_json: bool, lines: bool, seconds: float, sample_rate: int) -> None:
    """Prints the facts of the data in FOLDER: words, clips, what is held out, what was changed or left out."""
    from models.data.clips import open_clips  # noqa: PLC0415
    from models.data.describe import describe as described  # noqa: PLC0415
    from models.data.speech_commands import find, read_folder  # noqa: PLC0415

    with progress_bar() as progress:
        bar = progress.add_task("reading clips")

        def report(done: int, of: int) -> None:
            progress.update(bar, completed=done, total=of)
            if lines:
                click.echo(f"{done} of {of} clips", err=True)

        clips = open_clips(read_folder(find(str(folder))), report, rate_hz=sample_rate, seconds=seconds)
    facts = described(clips)
    if as_json:
        click.echo(facts.model_dump_json(indent=1))
        return
    full_length = facts.clips_full_length
    for name, value in {
        "data set": f"{facts.name}, {'synthetic' if facts.synthetic else 'recorded'} speech",
        "folder": facts.folder,
        "hash": facts.hash,
        "words": ", ".join(facts.words),
        "held out": facts.held_out,
        **{split: f"{n:,} clips, {full_length[split]:,} of full length" for split, n in facts.clips.items()},
    }.items():
        click.echo(f"{name}: {value}")
    for notice in facts.notices:
        click.echo(notice)
