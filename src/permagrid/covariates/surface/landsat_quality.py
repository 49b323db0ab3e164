"""The quality bands of Landsat Collection 2: what each bit of QA_PIXEL and QA_RADSAT says."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from permagrid.grid import Float

MaskName = Literal["fill", "dilated_cloud", "cirrus", "cloud", "cloud_shadow", "snow", "water", "saturation"]
"""What can be masked: all by QA_PIXEL but saturation, which is by QA_RADSAT."""

BITS = {
    "fill": 0,
    "dilated_cloud": 1,
    "cirrus": 2,
    "cloud": 3,
    "cloud_shadow": 4,
    "snow": 5,
    "clear": 6,
    "water": 7,
}
"""Flag -> its bit in QA_PIXEL: USGS, Landsat 8-9 Level 2 Data Format Control Book, LSDS-1328, and LSDS-1337
for Landsat 4-7, where bits 2, 14 and 15 are not used."""

CONFIDENCES = {"cloud": 8, "cloud_shadow": 10, "snow": 12, "cirrus": 14}
"""Flag -> the lower of the two bits of its confidence: 0 none, 1 low, 2 medium (of cloud alone), 3 high. A
flag itself is set where its confidence is high."""

_FILL = 1


def masked(
    quality: Float, mask: Iterable[str], *, cloud_confidence: Literal["medium", "high"]
) -> NDArray[np.bool_]:
    """Return True where a flag of QA_PIXEL is set that is to be masked.

    Parameters
    ----------
    quality
        Numbers of QA_PIXEL; NaN, its declared nodata, is fill.
    mask
        Flags, of `BITS`.
    cloud_confidence
        From which confidence on a cloud is masked as ``cloud``. No other flag has medium confidence.

    Examples
    --------
    >>> clear, doubtful, cloud = 21824.0, 22080.0, 22280.0
    >>> masked(np.array([clear, doubtful, cloud]), ["cloud"], cloud_confidence="medium")
    array([False,  True,  True])
    >>> masked(np.array([clear, doubtful, cloud]), ["cloud"], cloud_confidence="high")
    array([False, False,  True])
    """
    bits = np.where(np.isfinite(quality), quality, _FILL).astype(np.uint16)
    wanted = sum(1 << BITS[flag] for flag in set(mask))
    hidden = np.asarray((bits & np.uint16(wanted)) != 0)
    if "cloud" in mask and cloud_confidence == "medium":
        hidden |= confidence(bits, "cloud") >= 2
    return hidden


def confidence(bits: NDArray[np.uint16], flag: str) -> NDArray[np.uint16]:
    """Return the confidence of a flag of QA_PIXEL: 0 none, 1 low, 2 medium, 3 high.

    Examples
    --------
    >>> confidence(np.array([21824, 22280], dtype="uint16"), "cloud")
    array([1, 3], dtype=uint16)
    """
    return (bits >> np.uint16(CONFIDENCES[flag])) & np.uint16(3)


def saturated(saturation: Float, bands: Iterable[str]) -> NDArray[np.bool_]:
    """Return True where one of some bands is saturated by QA_RADSAT.

    Parameters
    ----------
    saturation
        Numbers of QA_RADSAT; bit 0 is band 1, and so on to band 7. The thermal bands of Landsat 8 and 9 have
        none, and never count as saturated.
    bands
        Numbers of bands.

    Examples
    --------
    >>> saturated(np.array([0.0, 8.0, 16.0]), ["4"])
    array([False,  True, False])
    """
    bits = np.where(np.isfinite(saturation), saturation, 0).astype(np.uint16)
    numbers = {int(band.partition("_")[0]) for band in bands}
    return np.asarray((bits & np.uint16(sum(1 << (n - 1) for n in numbers if n <= 7))) != 0)
