"""The app's icons as PNG, which systems ask for: drawn from the page's own ``icon.svg``."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"
_SIZE = 32  # width and height of the drawing
_SAFE = 0.8  # part of an icon's width that stays when a system cuts it to a circle


def draw_icon(svg: Path, *, pixels: int, maskable: bool = False) -> bytes:
    """Draw the icon.

    Parameters
    ----------
    svg : Path
        A drawing of one rectangle with round corners, and of vertical lines.
    pixels : int
        Width and height.
    maskable : bool
        Fill the whole square, because the system cuts its own shape out of it.

    Returns
    -------
    bytes
        A PNG file.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch, Patch, Rectangle

    root = ElementTree.parse(svg).getroot()
    rect, group = root.find(f"{_SVG}rect"), root.find(f"{_SVG}g")
    assert rect is not None
    assert group is not None
    figure = Figure(figsize=(1, 1), dpi=pixels)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _SIZE), ylim=(_SIZE, 0))
    axes.axis("off")
    shape: Patch
    if maskable:
        shape = Rectangle((0, 0), _SIZE, _SIZE, color=rect.get("fill"))
    else:
        style = f"round,pad=0,rounding_size={rect.get('rx')}"
        shape = FancyBboxPatch(
            (0, 0), _SIZE, _SIZE, boxstyle=style, facecolor=rect.get("fill"), linewidth=0
        )
    axes.add_patch(shape)
    scale = _SAFE if maskable else 1.0
    points = 72 / _SIZE * float(group.get("stroke-width", "1")) * scale  # 72 in the figure's inch
    for path in group.iter(f"{_SVG}path"):
        x, y, length = map(float, re.findall(r"[\d.]+", path.get("d", "")))
        middle = _SIZE / 2
        ends = [middle + scale * (end - middle) for end in (y, y + length)]
        across = middle + scale * (x - middle)
        axes.plot(
            [across] * 2,
            ends,
            color=path.get("stroke"),
            linewidth=points,
            solid_capstyle="round",
        )
    file = BytesIO()
    figure.savefig(file, format="png", transparent=True, metadata={"Software": None})
    return file.getvalue()
