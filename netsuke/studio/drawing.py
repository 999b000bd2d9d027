"""Pictures drawn on the server: plain SVG in the page's own colours, no script and no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 30, 40  # half of the last tick stands in the right one


@dataclass(frozen=True)
class Line:
    """Points (x, y) of one kind; `look` is a class of the style sheet: ours, base or soft."""

    name: str
    points: Sequence[tuple[float, float]]
    look: str = "ours"
    dots: bool = False
    labels: Sequence[str] = ()


def chart(title: str, x: str, y: str, lines: Sequence[Line], whole: bool = False) -> Markup:
    """A picture of lines or dots on two axes; nothing where there are no points. `whole`: x counts things."""
    points = [point for line in lines for point in line.points]
    if not points:
        return Markup("")
    xs, ys = ticks([p[0] for p in points], whole=whole), ticks([p[1] for p in points])

    def at(px: float, py: float) -> tuple[float, float]:
        across = (px - xs[0]) / (xs[-1] - xs[0])
        up = (py - ys[0]) / (ys[-1] - ys[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in ys:
        _, py = at(xs[0], tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py:.1f}" y2="{py:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{py + 4:.1f}" text-anchor="end">{_said(tick, ys)}</text>')
    for tick in xs:
        px, _ = at(tick, ys[0])
        parts.append(
            f'<text class="tick" x="{px:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_said(tick, xs)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="tick" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x)}</text>')
    parts.append(f'<text class="tick" x="0" y="{TOP - 16}">{escape(y)}</text>')
    for line in lines:
        parts += _drawn(line, [at(*point) for point in line.points])
    return Markup("".join([*parts, "</svg>"]))


def _drawn(line: Line, places: Sequence[tuple[float, float]]) -> list[str]:
    parts = []
    if not line.dots and len(places) > 1:
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        parts.append(f'<polyline class="line {line.look}" points="{path}"/>')
    marked = places if line.dots else places[-1:]
    parts += [f'<circle class="dot {line.look}" cx="{px:.1f}" cy="{py:.1f}" r="4"/>' for px, py in marked]
    for (px, py), label in zip(places, line.labels, strict=False):
        end = ' text-anchor="end"' if px > WIDTH * 0.7 else ""
        shift = -9 if end else 9
        parts.append(f'<text class="label" x="{px + shift:.1f}" y="{py - 7:.1f}"{end}>{escape(label)}</text>')
    return parts


def ticks(values: Sequence[float], most: int = 5, whole: bool = False) -> list[float]:
    """Round numbers around values: the first at or below the least, the last at or above the greatest.

    `whole` ones have nothing behind the point.
    """
    low, high = min(values), max(values)
    if high <= low:
        low, high = low - (abs(low) or 1) * 0.1, high + (abs(high) or 1) * 0.1
    rough = max((high - low) / (most - 1), float(whole))
    power = 10.0 ** math.floor(math.log10(rough))
    factors = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(power * factor for factor in factors if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _said(tick: float, among: Sequence[float]) -> str:
    if max(abs(among[0]), abs(among[-1])) >= 10_000:
        return f"{tick / 1000:,.0f}k" if tick else "0"
    step = among[1] - among[0]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    digits += round(step * 10**digits, 6) % 1 != 0  # 0.25 needs one more than 0.2
    return f"{tick:,.{digits}f}"
