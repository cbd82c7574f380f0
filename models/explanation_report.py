"""The analyses of a run as one HTML file that stands alone. Needs no torch."""

import base64
from collections.abc import Sequence
from html import escape

from models.explanation import Explanation, Moment, Quantity, Value, read_explanations
from models.run_folder import RunFolder, write_atomically

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; max-width: 1060px; margin: 2em auto; padding: 0 1em; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 13px; }
th, td { padding: 2px 8px; text-align: right; border-bottom: 1px solid #eef1f5; white-space: nowrap; }
th { text-align: right; color: #5f6b7a; cursor: pointer; position: sticky; top: 0; background: white; }
.scroll { overflow: auto; max-height: 30em; }
.null, .note { color: #5f6b7a; }
"""
_SORT = """
for (const th of document.querySelectorAll('th')) th.onclick = () => {
  const body = th.closest('table').tBodies[0], at = th.cellIndex, up = th.dataset.up = th.dataset.up === '1' ? '0' : '1';
  const key = (row) => row.cells[at].dataset.v ?? row.cells[at].textContent;
  const order = (a, b) => a === '' ? 1 : b === '' ? -1 : isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  body.append(...[...body.rows].sort((a, b) => order(key(a), key(b)) * (up === '1' ? 1 : -1)));
};
"""


def write_report(folder: RunFolder) -> None:
    """Writes `explain/report.html` with all analyses that the run has."""
    found = read_explanations(folder)
    write_atomically(folder.explanations / "report.html", report(folder, found))


def report(folder: RunFolder, found: Sequence[Explanation]) -> str:
    """The page."""
    notices = dict.fromkeys(notice for each in found for notice in each.notices)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>Run {escape(folder.id)}: what the network does</title><style>{_STYLE}</style>",
        f"<h1>Run {escape(folder.id)}: what the network does</h1>",
        *(f"<p class=note>{escape(notice)}</p>" for notice in notices),
        "<ul>",
        *(f"<li><a href='#{each.what}'>{escape(each.title)}</a></li>" for each in found),
        "</ul>",
        *(_section(folder, each) for each in found),
        f"<script>{_SORT}</script></html>",
    ]
    return "\n".join(parts)


def _section(folder: RunFolder, found: Explanation) -> str:
    lines = [f"<h2 id='{found.what}'>{escape(found.title)}</h2>", f"<p>{escape(found.read)}</p>"]
    lines += [f"<p><b>{escape(sentence)}</b></p>" for sentence in found.found]
    lines.append(f"<p class=null>{escape(found.null)}</p>")
    try:
        png = base64.b64encode((folder.figures / f"{found.figure}.png").read_bytes()).decode()
        lines.append(f"<img alt='{escape(found.title, quote=True)}' src='data:image/png;base64,{png}'>")
    except OSError:  # the table says the same
        lines.append("<p class=note>The picture is missing.</p>")
    heads = "".join(f"<th>{escape(each.heading)}</th>" for each in found.columns)
    rows = "\n".join(
        f"<tr>{''.join(_cell(value, each) for value, each in zip(row, found.columns, strict=True))}</tr>"
        for row in found.rows
    )
    lines.append(
        f"<div class=scroll><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return "\n".join(lines)


def _cell(value: Value, quantity: Quantity) -> str:
    match value:
        case None:
            return "<td></td>"
        case Moment():
            return f"<td>{escape(value.clip)} at {value.seconds:.2f} s</td>"
        case tuple():
            return f"<td>{_curve(value)}</td>"
        case str():
            return f"<td>{escape(value)}</td>"
        case _:
            return f"<td data-v='{value}'>{_number(value, quantity)}</td>"


def _number(value: float, quantity: Quantity) -> str:
    match quantity.kind:
        case "integer":
            return f"{value:,.0f}"
        case "share":
            return f"{value:.1%}"
        case "points":
            return f"{100 * value:+.1f} pp"
        case _:
            return f"{value:.4g}"


def _curve(values: tuple[float, ...]) -> str:
    low, high = min(0.0, *values), max(0.0, *values)
    scale = 20 / (high - low) if high > low else 0
    step = 80 / max(1, len(values) - 1)
    points = " ".join(
        f"{place * step:.1f},{22 - (value - low) * scale:.1f}" for place, value in enumerate(values)
    )
    return f"<svg width=82 height=24><polyline points='{points}' fill=none stroke=#0b57d0 /></svg>"
