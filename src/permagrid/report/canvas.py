"""What all figures share: fonts, colours from legends, names as people read them, and PNG bytes."""

import textwrap
from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import (
    BoundaryNorm,
    Colormap,
    FuncNorm,
    LinearSegmentedColormap,
    ListedColormap,
    Normalize,
    to_rgb,
)
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend as MarksLegend
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from permagrid.products.legend import Legend
from permagrid.report.png import small_png

DPI = 150
"""Resolution of all figures [dots per inch]."""
INK = "#22303c"
"""Colour of text and axes."""
QUIET = "#6b7a86"
"""Colour of secondary text."""
NODATA = "#cfd3d8"
"""Colour of cells without data: a grey that the pale middle of a diverging legend stands out from."""
_SHADES = 97
"""Colours of a continuous legend; two legends and the letters of a figure fit into one palette."""
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.edgecolor": "#9aa5ae",
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.grid": False,
    "axes.facecolor": "white",
    "axes.unicode_minus": True,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "savefig.bbox": None,
    "path.simplify": True,
    "image.interpolation": "nearest",
}

_SPELLED = {
    "adaboost": "AdaBoost",
    "bma": "BMA",
    "lightgbm": "LightGBM",
    "ttop": "TTOP",
    "xgboost": "XGBoost",
}
"""Word of a name -> how its authors spell it."""

_Parameters = ParamSpec("_Parameters")


def styled(draw: Callable[_Parameters, Figure]) -> Callable[_Parameters, bytes]:
    """Turn a function that draws a figure into one that returns it as PNG, in the house style.

    The bytes depend on the arguments only: neither the user's matplotlib settings nor the time enter.
    """

    @wraps(draw)
    def drawn(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> bytes:
        with mpl.rc_context(_STYLE):
            canvas = FigureCanvasAgg(draw(*args, **kwargs))
            canvas.draw()  # type: ignore[no-untyped-call]
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            return small_png(pixels[..., :3], _legend_colours(canvas.figure))

    return drawn


def _legend_colours(figure: Figure) -> NDArray[np.uint8]:
    """Return all colours of the legends in a figure: those of its maps, bars and named marks."""
    drawn = [artist.get_cmap() for artist in figure.findobj() if isinstance(artist, ScalarMappable)]
    maps = [cmap for cmap in {id(cmap): cmap for cmap in drawn}.values() if cmap.N <= _SHADES]
    shades = [np.asarray(cmap(np.arange(cmap.N), bytes=True))[:, :3] for cmap in maps]
    keys = [key for artist in figure.findobj(MarksLegend) for key in artist.legend_handles]
    faces = [key.get_markerfacecolor() for key in keys if isinstance(key, Line2D)]
    named = [to_rgb(face) for face in faces if isinstance(face, str | tuple) and face != "none"]
    marks = np.round(np.reshape(named, (-1, 3)) * 255).astype(np.uint8)
    return np.concatenate([marks, *shades])


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given size [inch] whose parts keep clear of each other."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.06))


def small_multiples(
    figure: Figure, number: int, *, columns: int, sharex: bool = False, sharey: bool = False
) -> list[Axes]:
    """Return `number` panels in rows of `columns`; what is left of the last row stays empty.

    Shared axes bear their labels on the lowest panel of each column and the first of each row.

    Parameters
    ----------
    figure
        An empty figure.
    number, columns
        How many panels are wanted, and how many stand side by side.
    sharex, sharey
        Whether all panels have the same x, or y.
    """
    rows = -(-number // columns)
    every = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for axes in every[number:]:
        axes.remove()
    for place, axes in enumerate(every[:number]):
        axes.tick_params(labelbottom=not sharex or place + columns >= number)
    return every[:number]


def lowest(panels: list[Axes], columns: int) -> list[Axes]:
    """Return the lowest panel of each column of `small_multiples`."""
    return panels[-columns:]


def wrapped(text: str, width: int) -> str:
    r"""Return a title in lines of at most `width` letters.

    Examples
    --------
    >>> wrapped("Folds by site", 10)
    'Folds by\nsite'
    """
    return "\n".join(textwrap.wrap(text, width)) or text


def colormap(legend: Legend) -> tuple[Colormap, Normalize]:
    """Return the colours of `legend` as matplotlib draws them; cells without data are grey.

    All stops of a continuous legend are equally far apart, on maps and on the bar.

    Parameters
    ----------
    legend
        Legend of the variable.

    Examples
    --------
    >>> from matplotlib.colors import to_hex
    >>> from permagrid.products.legend import LEGENDS
    >>> colours, norm = colormap(LEGENDS["permafrost_probability"])
    >>> [to_hex(colours(norm(value))) for value in (0.0, 0.95, 1.0)]
    ['#f3eee3', '#1b2f72', '#1b2f72']
    """
    values = [stop.value for stop in legend.stops]
    colours = [stop.colour for stop in legend.stops]
    norm: Normalize
    cmap: Colormap
    if legend.kind == "continuous":
        places = np.linspace(0.0, 1.0, len(values))

        def place(value: Any) -> Any:
            return np.interp(value, values, places)

        def back(place: Any) -> Any:
            return np.interp(place, places, values)

        norm = FuncNorm((place, back), vmin=values[0], vmax=values[-1], clip=True)
        ramp = LinearSegmentedColormap.from_list(legend.variable, colours, N=_SHADES)
        shades = np.round(ramp(np.arange(_SHADES))[:, :3] * 255)
        # matplotlib cuts the decimals off on maps and rounds them on bars: this gives both the same bytes
        cmap = ListedColormap(np.minimum(shades / 255 + 1e-6, 1.0), name=legend.variable)
    else:
        if legend.kind == "zones":
            edges = [min(0.0, values[0] - 1.0), *values]
        else:
            inner = [(a + b) / 2 for a, b in pairwise(values)]
            edges = [values[0] - 0.5, *inner, values[-1] + 0.5]
        norm = BoundaryNorm(edges, len(colours), clip=True)
        cmap = ListedColormap(colours, name=legend.variable)
    return cmap.with_extremes(bad=NODATA), norm


def words(name: str) -> str:
    """Return a name from a table as people read it.

    Examples
    --------
    >>> words("random_forest"), words("lightgbm_tuned"), words("ttop")
    ('random forest', 'LightGBM tuned', 'TTOP')
    """
    return " ".join(_SPELLED.get(word, word) for word in name.split("_"))


def capitalised(name: str) -> str:
    """Return a name from a table as it begins a heading or a sentence.

    Examples
    --------
    >>> capitalised("random_forest"), capitalised("xgboost")
    ('Random forest', 'XGBoost')
    """
    text = words(name)
    return text[:1].upper() + text[1:]


def plain(axes: Axes) -> None:
    """Take the top and right lines from a diagram and lay a light grid behind it."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e6eaed", linewidth=0.7)
    axes.set_axisbelow(True)
