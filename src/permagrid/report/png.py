"""Pictures as small PNG files: cut to what is drawn on them, in at most 256 colours."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

_EXACT = 176
"""Colours that are kept as they are, the most frequent ones; the others share what is left of 256."""
_MARGIN = 12
"""White pixels left around what is drawn."""


def small_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture as PNG with a palette; its bytes depend on its pixels only.

    The most frequent colours, which are those of legends, stay exactly as they are; others, at the edges
    of letters and lines, become the nearest in the palette.

    Parameters
    ----------
    pixels
        Red, green and blue [0..255], shape (height, width, 3).

    Examples
    --------
    >>> red = np.full((40, 60, 3), (255, 0, 0), dtype=np.uint8)
    >>> Image.open(io.BytesIO(small_png(red))).mode
    'P'
    """
    image = Image.fromarray(_cut(pixels))
    found = image.getcolors(image.width * image.height)
    ranked = sorted(found, key=lambda item: (-item[0], item[1]))
    colours = np.array([colour for _, colour in ranked], dtype=np.uint8)
    palette = colours if len(colours) <= 256 else _palette(colours)
    nearest = cKDTree(palette.astype(np.float64)).query(colours.astype(np.float64))[1]
    table = np.zeros(2**24, dtype=np.uint8)
    table[_packed(colours)] = nearest
    indexed = Image.fromarray(table[_packed(np.asarray(image))])
    indexed.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    indexed.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _palette(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 256 colours that stand for all in `colours`, which come by falling frequency."""
    exact, rest = colours[:_EXACT], colours[_EXACT:]
    strip = Image.fromarray(rest[None]).quantize(256 - _EXACT, Image.Quantize.MEDIANCUT)
    shared = np.array(strip.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)[: 256 - _EXACT]
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
