"""Tables as CSV, as one Markdown document and as one HTML page that opens from disk."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Mapping, Sequence

from leakseg.evaluate.table import Cell, Table

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c2330;background:#fff}"
    "table{border-collapse:collapse;margin:.5rem 0 1rem}th,td{padding:.2rem .7rem;border-bottom:1px solid #d8dde6;"
    "text-align:left;font-variant-numeric:tabular-nums}th{background:#f2f4f8}div.wide{overflow-x:auto}"
    "p.note{color:#4d5869;max-width:60rem}svg{max-width:30rem;height:auto}"
)
_LONG = 200
"""Longer tables are cut on the pages; their CSV is whole."""


def csv_text(table: Table) -> str:
    """UTF-8 text with commas; an empty field where there is nothing to tell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in table.rows)
    return stream.getvalue()


def markdown(tables: Sequence[Table], heading: str, paragraphs: Mapping[str, str], plots: Sequence[str]) -> str:
    """The whole evaluation; plots by the paths they stand at beside it."""
    lines = [f"# {heading}", ""]
    for title, text in paragraphs.items():
        lines += [f"**{title}.** {text}", ""]
    for table in tables:
        lines += [f"## {table.title}", ""]
        if table.note:
            lines += [table.note, ""]
        if table.figure in plots:
            lines += [f"![{table.title}](plots/{table.figure}.png)", ""]
        lines += _markdown_table(table)
    return "\n".join(lines).rstrip() + "\n"


def html_page(tables: Sequence[Table], heading: str, paragraphs: Mapping[str, str], plots: Mapping[str, str]) -> str:
    """One page, nothing fetched; ``plots`` holds each plot as SVG text."""
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(heading)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{html.escape(heading)}</h1>",
        *(f"<p><b>{html.escape(title)}.</b> {html.escape(text)}</p>" for title, text in paragraphs.items()),
    ]
    for table in tables:
        parts.append(f'<h2 id="{table.name}">{html.escape(table.title)}</h2>')
        if table.note:
            parts.append(f'<p class="note">{html.escape(table.note)}</p>')
        if table.figure is not None and table.figure in plots:
            parts.append(f"<figure>{_own_ids(plots[table.figure], table.figure)}</figure>")
        parts.append(_html_table(table))
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _own_ids(svg: str, name: str) -> str:
    """The drawing with ids that no other drawing on the page has."""
    return re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", svg)


def _markdown_table(table: Table) -> list[str]:
    if not table.rows:
        return ["None.", ""]
    columns = _filled_columns(table)
    lines = [
        "| " + " | ".join(table.columns[column] for column in columns) + " |",
        "|" + "---|" * len(columns),
        *(
            "| " + " | ".join(_text(row[column]).replace("|", "\\|") for column in columns) + " |"
            for row in table.rows[:_LONG]
        ),
        "",
    ]
    return lines + _cut(table)


def _html_table(table: Table) -> str:
    if not table.rows:
        return "<p>None.</p>"
    columns = _filled_columns(table)
    head = "".join(f"<th>{html.escape(table.columns[column])}</th>" for column in columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(_text(row[column]))}</td>" for column in columns) + "</tr>"
        for row in table.rows[:_LONG]
    )
    cut = "".join(f"<p>{html.escape(line)}</p>" for line in _cut(table) if line)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>{cut}'


def _cut(table: Table) -> list[str]:
    if len(table.rows) <= _LONG:
        return []
    return [f"The first {_LONG} of {len(table.rows)} rows; tables/{table.name}.csv has all.", ""]


def _filled_columns(table: Table) -> list[int]:
    """Columns in which any row has something to tell."""
    return [column for column in range(len(table.columns)) if any(row[column] not in (None, "") for row in table.rows)]


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return (
        f"{cell:.4g}"
        if isinstance(cell, float) and abs(cell) < 1000
        else f"{cell:.1f}"
        if isinstance(cell, float)
        else str(cell)
    )
