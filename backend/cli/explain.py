"""The command that explains a trained network."""

import click

from backend.cli.show import as_json, say, show_json, show_table
from backend.cli.train import run_models
from backend.errors import InvalidError, NotFoundError
from backend.service.wiring import Sheetrack
from backend.settings import Home
from backend.tabs.explain import explanation_table
from models.analyses import WHAT
from models.explanation import read_explanations
from models.run_folder import RunFolder, is_run_id


@click.command()
@click.argument("what", type=click.Choice([*WHAT, "all"]))
@click.argument("run")
@click.argument("other", metavar="[RUN2]", required=False)
@click.option(
    "--words", nargs=2, metavar="WORD WORD", help="Two words to tell apart; else the most confused."
)
@click.option("--clip", metavar="WORD/FILE.wav", help="The clip to show; else the surest one.")
@as_json
def explain(
    *, what: str, run: str, other: str | None, words: tuple[str, str] | None, clip: str | None, is_json: bool
) -> None:
    """Says what the network of RUN does: WHAT it hears, keeps, needs and likes, beside its untrained start.

    filters: bands of layer 1. response: layer 1 over the epochs. tuning: tones, noise, modulation.
    strf: spectro-temporal fields. maps: all layers over time. ablate: what is lost without each part.
    where: the parts of a clip that count. likes: the clips that drive each channel.
    same: likeness with RUN2, or its start. words: what each layer tells. all: all ten, in one HTML file.
    """
    if other and what != "same":
        raise click.UsageError("A second run belongs to `same`.")
    sheetrack = Sheetrack()
    folder = _folder(sheetrack.home, run)
    chosen = list(WHAT) if what == "all" else [what]
    options = ["--with", str(_folder(sheetrack.home, other).path)] if other else []
    options += ["--words", *words] if words else []
    options += ["--clip", clip] if clip else []
    run_models("explain", str(folder.path), *chosen, *options)
    found = [each for each in read_explanations(folder) if each.what in chosen]
    if not found:
        raise InvalidError(f"The analyses of {run} cannot be read.", "Make them again.")
    sheetrack.display.show_explanations(found)
    if is_json:
        show_json(found[0] if what != "all" else found)
        return
    if what != "all":
        show_table(explanation_table(found[0]))
    for notice in dict.fromkeys(notice for each in found for notice in each.notices):
        say(notice, err=True)
    if what == "all":
        for each in found:
            say("\n".join([f"{each.tab}: {each.title}", *(f"  {sentence}" for sentence in each.found)]))
        say(f"Report: {folder.explanations / 'report.html'}")


def _folder(home: Home, run: str) -> RunFolder:
    folder = RunFolder(home.runs / run)
    if not is_run_id(run) or not folder.path.is_dir():
        raise NotFoundError(f"There is no run {run!r}.", "`sheetrack results` lists them.")
    return folder
