"""A page that needs nothing but itself: style and pictures inline, light and dark, no script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_MARGIN = 12.0
"""Pixels around a picture that stands alone."""
_STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #fff; --ink: #1c2024; --soft: #5f6770;
  --rule: #e3e5e8; --series: #3a5a8c; --up: #c8452f; --down: #2f7fb8; --anomaly: #c8452f;
  --span: #5b8c5a; --threshold: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1b1f23; --ink: #e6e8ea;
  --soft: #9aa3ac; --rule: #30363c; --series: #8fb1e3; --up: #f0785f; --down: #64b1e8;
  --anomaly: #f0785f; --span: #6fae6d; --threshold: #e0aa4a; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1000px; padding: 32px 20px 64px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -.01em }
h2 { font-size: 19px; margin: 44px 0 6px; letter-spacing: -.01em }
h3 { font-size: 14px; margin: 0 0 8px }
p { margin: 6px 0 12px; max-width: 78ch } .soft { color: var(--soft) }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px;
  margin: 16px 0 }
.tile, .card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 12px 14px }
.tile b { display: block; font-size: 21px; font-weight: 600; font-variant-numeric: tabular-nums;
  letter-spacing: -.01em }
.tile span { color: var(--soft); font-size: 12.5px }
.card { margin: 12px 0 } .card p { margin: 0 0 10px; max-width: 100ch; font-size: 14px }
.card .row { gap: 32px; margin-bottom: 0 }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 12px;
  margin: 12px 0 }
.row .card { margin: 0 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: 13.5px;
  font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 600; color: var(--soft) }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top }
td.n, th.n { text-align: right }
svg { display: block; width: 100%; height: auto; overflow: visible }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
svg .tick { fill: var(--soft); font-size: 11px } svg .strong { font-weight: 600 }
svg .grid { stroke: var(--rule) } svg .axis { stroke: var(--soft); stroke-width: .8 }
svg .series { fill: none; stroke: var(--series); stroke-width: 1.3; stroke-linejoin: round }
svg .second { fill: none; stroke: var(--soft); stroke-width: 1.3; stroke-linejoin: round }
svg .second-swatch { fill: var(--soft) } svg .whisker { stroke: var(--series); stroke-width: 1.2 }
svg .threshold { stroke: var(--threshold); stroke-width: 1.2; stroke-dasharray: 5 4 }
svg .chance { stroke: var(--soft); stroke-dasharray: 2 3 } svg .marked { fill: var(--threshold) }
svg .up { fill: var(--up) } svg .down { fill: var(--down) } svg .anomaly { fill: var(--anomaly) }
svg .normal, svg .line-swatch { fill: var(--series) } svg .span { fill: var(--span); opacity: .16 }
"""


def standalone(svg: str) -> str:
    """Return a picture that needs no page around it: its light colours inside, on a white ground."""
    colours = dict(re.findall(r"(--\w+): (#\w+)", _STYLE.partition("@media")[0]))
    rules = "\n".join(line for line in _STYLE.splitlines() if line.startswith("svg "))
    for name, colour in colours.items():
        rules = rules.replace(f"var({name})", colour)
    width, height = (float(size) for size in re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0])
    box = f"{-_MARGIN:g} {-_MARGIN:g} {width + 2 * _MARGIN:g} {height + 2 * _MARGIN:g}"
    head, _, rest = svg.partition(">")
    head = re.sub(r'viewBox="[^"]*"', f'viewBox="{box}"', head)
    ground = f'<rect x="{-_MARGIN:g}" y="{-_MARGIN:g}" width="100%" height="100%" fill="#fff"/>'
    return f"{head}><style>{rules}</style>{ground}{rest}"


def page(title: str, subtitle: str, sections: Iterable[str]) -> str:
    """Return a whole page."""
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>"
        f'<h1>{escape(title)}</h1><p class="soft">{escape(subtitle)}</p>\n{body}\n</body></html>\n'
    )


def section(heading: str, words: str, *parts: str) -> str:
    """Return a section with a heading and a paragraph."""
    return f"<section><h2>{escape(heading)}</h2><p>{escape(words)}</p>{''.join(parts)}</section>"


def tiles(numbers: Sequence[tuple[str, str]]) -> str:
    """Return (number, meaning) pairs as a row of tiles."""
    made = "".join(
        f'<div class="tile"><b>{escape(n)}</b><span>{escape(words)}</span></div>'
        for n, words in numbers
    )
    return f'<div class="tiles">{made}</div>'


def card(*parts: str, heading: str = "", words: str = "") -> str:
    """Return a framed block: a heading, a paragraph, and pictures."""
    top = f"<h3>{escape(heading)}</h3>" if heading else ""
    top += f"<p>{escape(words)}</p>" if words else ""
    return f'<div class="card">{top}{"".join(parts)}</div>'


def row(*parts: str) -> str:
    """Return blocks beside each other where the page is wide enough."""
    return f'<div class="row">{"".join(parts)}</div>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numeric: Iterable[int] = ()) -> str:
    """Return a table; the columns of ``numeric`` stand to the right."""
    right = set(numeric)

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if i in right else ''}>{escape(v)}</{tag}>"
            for i, v in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', values)}</tr>" for values in rows)
    head = cells("th", heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>{body}</table></div>'
