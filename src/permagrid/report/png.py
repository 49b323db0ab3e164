"""Pictures as small PNG files: cut to what is drawn on them, in at most 256 colours."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

_EXACT = 176
"""Colours that are kept as they are, if no more are asked for; the others share what is left of 256."""
_MARGIN = 12
"""White pixels left around what is drawn."""


def small_png(pixels: NDArray[np.uint8], keep: NDArray[np.uint8] | None = None) -> bytes:
    """Return a picture as PNG with a palette; its bytes depend on its pixels only.

    Colours of legends and the most frequent ones stay exactly as they are; others, at the edges of letters
    and lines, become the nearest in the palette.

    Parameters
    ----------
    pixels
        Red, green and blue [0..255], shape (height, width, 3).
    keep
        Colours that must stay as they are, shape (n, 3).

    Examples
    --------
    >>> red = np.full((40, 60, 3), (255, 0, 0), dtype=np.uint8)
    >>> Image.open(io.BytesIO(small_png(red))).mode
    'P'
    """
    image = Image.fromarray(_cut(pixels))
    found = image.getcolors(image.width * image.height) or []
    counts, colours = np.array([n for n, _ in found]), np.array([c for _, c in found], dtype=np.uint8)
    first = np.isin(_packed(colours), _packed(np.zeros((0, 3), np.uint8) if keep is None else keep))
    # by falling frequency; ties by colour, so that the same pixels give the same bytes
    colours = colours[np.lexsort((_packed(colours), -counts, ~first))]
    palette = colours if len(colours) <= 256 else _palette(colours, int(first.sum()))
    nearest = cKDTree(palette.astype(np.float64)).query(colours.astype(np.float64))[1]
    table = np.zeros(2**24, dtype=np.uint8)
    table[_packed(colours)] = nearest
    indexed = Image.fromarray(table[_packed(np.asarray(image))])
    indexed.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    indexed.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _palette(colours: NDArray[np.uint8], first: int) -> NDArray[np.uint8]:
    """Return 256 colours that stand for all in `colours`, of which the `first` must be among them."""
    size = min(max(_EXACT, first + 24), 240)
    exact, rest = colours[:size], colours[size:]
    strip = Image.fromarray(rest[None]).quantize(256 - size, Image.Quantize.MEDIANCUT)
    shared = np.array(strip.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)[: 256 - size]
    return np.concatenate([exact, shared])


def _packed(colours: NDArray[np.uint8]) -> NDArray[np.int32]:
    red, green, blue = (colours[..., channel].astype(np.int32) for channel in range(3))
    return (red << 16) | (green << 8) | blue


def _cut(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture without its white edge, save a margin."""
    drawn = (pixels != 255).any(axis=2)
    rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
    if rows.size == 0:
        return pixels
    top, left = max(rows[0] - _MARGIN, 0), max(columns[0] - _MARGIN, 0)
    return np.ascontiguousarray(pixels[top : rows[-1] + 1 + _MARGIN, left : columns[-1] + 1 + _MARGIN])
