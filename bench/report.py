# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as a table and as bars: text, Markdown, SVG and one HTML page that needs nothing else."""

import html
from dataclasses import dataclass
from typing import Callable


def bytes_text(value):
    return f"{value / 1e6:.{2 if value < 10e6 else 1 if value < 100e6 else 0}f} MB"


def seconds_text(value):
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


@dataclass(frozen=True)
class Metric:
    key: str
    title: str
    text: Callable


METRICS = (
    Metric("crashkernel_tuned", "smallest crashkernel=, our line", lambda v: f"{v}M"),
    Metric("crashkernel_stock", "smallest crashkernel=, Debian's line", lambda v: f"{v}M"),
    Metric("image_bytes", "image", bytes_text),
    Metric("unpacked_bytes", "unpacked", bytes_text),
    Metric("seconds", "build time", seconds_text),
    Metric("check_seconds", "to tell that an image is fresh", lambda v: f"{v * 1000:.0f} ms"),
    Metric("saved_seconds", "panic to saved", lambda v: f"{v:.0f} s"),
    Metric("processes", "child processes of a build", str),
    Metric("peak_kib", "peak memory of a build", lambda v: f"{v / 1024:.0f} MiB"),
)


def shown(results):
    """The metrics that at least one builder has a figure for."""
    return [m for m in METRICS if any(b.get(m.key) is not None for b in results["builders"])]


def cell(metric, builder):
    value = builder.get(metric.key)
    return "-" if value is None else metric.text(value)


def table(results):
    """Markdown with one row for each metric; aligned, so that it reads as plain text too."""
    builders = results["builders"]
    rows = [["", *(b["name"] for b in builders)]]
    rows += [[m.title, *(cell(m, b) for b in builders)] for m in shown(results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |"
             for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|",
                      *lines[1:]])


LABEL, BAR, VALUE, ROW, COLUMNS, GAP = 204, 200, 66, 20, 2, 20
PANEL = LABEL + BAR + VALUE
STYLE = ("text{font:12px system-ui,sans-serif;fill:#222}.t{font-weight:600}.o{fill:#0b6e4f}"
         ".p{fill:#9aa5b1}.l{text-anchor:end}.v{font-variant-numeric:tabular-nums}.b{fill:#fff}")


def panel(metric, builders, x, y):
    """One metric: a bar for each builder that has a figure, ours in green."""
    parts = [f'<text class="t" x="{x + LABEL}" y="{y + 12}">{html.escape(metric.title)}</text>']
    largest = max(b[metric.key] for b in builders if b.get(metric.key) is not None) or 1
    for row, builder in enumerate(builders):
        top = y + 20 + row * ROW
        value = builder.get(metric.key)
        width = 0 if value is None else max(1.5, BAR * value / largest) if value else 0
        kind = "o" if builder["name"].startswith("kdump-mkinitrd") else "p"
        parts += [f'<text class="l" x="{x + LABEL - 8}" y="{top + 12}">'
                  f'{html.escape(builder["name"])}</text>',
                  f'<rect class="{kind}" x="{x + LABEL}" y="{top + 2}" width="{width:.1f}" '
                  f'height="{ROW - 6}" rx="2"/>',
                  f'<text class="v" x="{x + LABEL + width + 6:.1f}" y="{top + 12}">'
                  f'{html.escape(cell(metric, builder))}</text>']
    return parts


def svg(results):
    builders, metrics = results["builders"], shown(results)
    height = 20 + len(builders) * ROW + 18
    rows = -(-len(metrics) // COLUMNS)
    width, total = COLUMNS * PANEL + GAP + 24, rows * height + 34
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total}" '
             f'viewBox="0 0 {width} {total}"><style>{STYLE}</style>',
             f'<rect class="b" width="{width}" height="{total}"/>']
    for index, metric in enumerate(metrics):
        parts += panel(metric, builders, 12 + index % COLUMNS * (PANEL + GAP),
                       12 + index // COLUMNS * height)
    parts.append(f'<text x="12" y="{total - 10}">{html.escape(results["machine"])}</text></svg>')
    return "\n".join(parts) + "\n"


PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>kdump-mkinitrd: comparison</title>
<style>body{{font:14px system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em}}
table{{border-collapse:collapse;margin:1em 0}}td,th{{padding:.3em .7em;text-align:right;
border-bottom:1px solid #ddd}}td:first-child{{text-align:left;white-space:nowrap}}
svg{{max-width:100%;height:auto}}</style>
<h1>Builders of kdump images, side by side</h1>
<p>{machine}. Measured {date}; all on the same kernel, machine and target, in one run.</p>
{svg}
<table>{rows}</table>
<p>"Our line" is the command line of the capture kernel that kdump-mkinitrd chooses, "Debian's line"
that of kdump-tools. Build times are medians of hyperfine. Peak memory is that of the largest
process. The times after a panic are those of the emulated machine; they compare, but real hardware
is faster.</p>
</html>
"""


def page(results):
    head = "".join(f"<th>{html.escape(b['name'])}</th>" for b in results["builders"])
    rows = [f"<tr><th></th>{head}</tr>"]
    for metric in shown(results):
        cells = "".join(f"<td>{html.escape(cell(metric, b))}</td>" for b in results["builders"])
        rows.append(f"<tr><td>{html.escape(metric.title)}</td>{cells}</tr>")
    return PAGE.format(machine=html.escape(results["machine"]), date=results["date"],
                       svg=svg(results), rows="\n".join(rows))
