"""Makes the analyses of a run and leaves each in its folder: a table, and a picture as PNG and PDF."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from models.analyses import WHAT
from models.architectures.compiled import keep_memory
from models.explain import ablate, filters, likes, maps, response, same, strf, tuning, where, words
from models.explain.finding import Finding, UnfitError, clean
from models.explain.subject import Report, Subject, open_subject
from models.explanation import Explanation, write_explanation
from models.explanation_report import write_report
from models.figures.style import write
from models.run_folder import RunFolder

ANALYSES: dict[str, Callable[[Subject], Finding]] = {
    "filters": filters.explain,
    "response": response.explain,
    "tuning": tuning.explain,
    "strf": strf.explain,
    "maps": maps.explain,
    "ablate": ablate.explain,
    "where": where.explain,
    "likes": likes.explain,
    "same": same.explain,
    "words": words.explain,
}


def explain(
    folder: RunFolder,
    what: Sequence[str],
    *,
    other: RunFolder | None = None,
    pair: tuple[str, str] | None = None,
    clip: str | None = None,
    report: Report = lambda *_: None,
) -> tuple[list[Explanation], list[str]]:
    """Makes the analyses `what`, in their order; also gives the sentences about those that cannot be made.

    Raises:
        TrainingError, DataError, BrokenRunError: the run, its checkpoint or its data cannot be used.
    """
    keep_memory()
    subject = open_subject(folder, pair=pair, clip=clip, report=report)
    second = open_subject(other, report=report) if other else None
    made, refused = [], []
    for each in WHAT:
        if each not in what:
            continue
        began = time.monotonic()
        subject.report = lambda doing, fraction, each=each: report(f"{each}: {doing}", fraction)  # type: ignore[misc]
        try:
            finding = same.explain(subject, second) if each == "same" else ANALYSES[each](subject)
        except UnfitError as error:
            refused.append(f"{each}: {error}")
            continue
        seconds = round(time.monotonic() - began, 1)
        made.append(_keep(folder, _explanation(each, subject, second, finding, seconds), finding))
    if made:
        write_report(folder)
    return made, refused


def _explanation(
    what: str, subject: Subject, other: Subject | None, finding: Finding, seconds: float
) -> Explanation:
    return Explanation(
        what=what,
        run=subject.run,
        other=other.run if other and what == "same" else "",
        title=finding.title,
        read=finding.read,
        null=finding.null,
        found=tuple(finding.found),
        notices=(*subject.notices, *finding.notices),
        columns=finding.columns,
        rows=tuple(tuple(clean(value) for value in row) for row in finding.rows),
        clips=finding.clips,
        seconds=seconds,
        made_at=datetime.now(UTC).replace(microsecond=0),
    )


def _keep(folder: RunFolder, found: Explanation, finding: Finding) -> Explanation:
    folder.figures.mkdir(exist_ok=True)
    folder.explanations.mkdir(exist_ok=True)
    write(finding.picture, folder.figures / f"{found.figure}.png")
    # All has its place now. To find it again for the PDF takes as long as to write it.
    finding.picture.set_layout_engine("none")
    write(finding.picture, folder.explanations / f"{found.what}.pdf")
    write_explanation(folder, found)
    return found
