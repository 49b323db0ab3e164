"""One Sentinel-2 scene of Level 2A: its bands, the offset of their numbers, and its scene classes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np

from permagrid.covariates.surface.scenes import located
from permagrid.errors import PermagridError
from permagrid.grid import Float

ClassName = Literal[
    "no_data",
    "saturated",
    "dark",
    "cloud_shadow",
    "vegetation",
    "bare",
    "water",
    "unclassified",
    "cloud_medium",
    "cloud_high",
    "cirrus",
    "snow",
]
"""Scene classes of the band SCL, by name."""

CLASSES: tuple[ClassName, ...] = (
    "no_data",
    "saturated",
    "dark",
    "cloud_shadow",
    "vegetation",
    "bare",
    "water",
    "unclassified",
    "cloud_medium",
    "cloud_high",
    "cirrus",
    "snow",
)
"""Scene classes in the order of their codes, 0 to 11: ESA, Sentinel-2 Products Specification Document."""

BANDS = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "swir1": "B11"}
"""Colour -> band."""

METADATA = "MTD_MSIL2A.xml"
"""Name of the file that describes a scene."""

_IDENTITIES = {"B02": "1", "B03": "2", "B04": "3", "B08": "7", "B11": "11"}
_BAND_FILE = re.compile(
    r"^(?P<scene>.*?)_?(?P<band>B02|B03|B04|B08|B11|SCL)(?:_(?P<metres>\d\d)m)?\.(?:jp2|tiff?)$",
    re.IGNORECASE,
)
_DAY = re.compile(r"(?<!\d)(20\d\d)(\d\d)(\d\d)(?!\d)")
_SATELLITE = re.compile(r"(?<![A-Z0-9])S(?:entinel-)?2([A-D])(?![A-Z0-9])", re.IGNORECASE)
_INSIDE = ("IMG_DATA", "R10m", "R20m", "R60m")
"""Folders within that of a scene."""
_OFFSETS_SINCE = 4.0
"""Processing baseline from which on the numbers have an offset."""
_SATURATED = 65535.0


@dataclass(frozen=True)
class Sentinel2Scene:
    """A tile of one day."""

    name: str
    """What messages call it."""
    satellite: str
    """The satellite that took it."""
    day: date
    """When it was taken."""
    files: dict[str, Path]
    """Band -> its file of the finest resolution."""
    metadata: Path | None
    """The file that describes it, where there is one."""
    quantification: float
    """By what numbers are divided, after the offset is added."""
    offsets: dict[str, float] | None
    """Band -> what is added to its numbers; None where nothing tells it."""

    def needed(self, colours: Sequence[str], mask: Sequence[str]) -> dict[str, Path]:
        """Return the files of some colours, and ``classes`` where classes are to be masked.

        Raises
        ------
        PermagridError
            If one is not there.
        """
        wanted = {colour: BANDS[colour] for colour in colours} | ({"classes": "SCL"} if mask else {})
        for key, band in wanted.items():
            if band not in self.files:
                why = f"to mask {', '.join(mask)} by; leave that out of mask if it may stay"
                raise PermagridError(
                    f"{self.name}: has no file of the band {band}" + (f" {why}" if key == "classes" else "")
                )
        return {key: self.files[band] for key, band in wanted.items()}

    def reflectance(self, colour: str, numbers: Float) -> Float:
        """Return the reflectance of the numbers of a colour [1]; 0 is no data, 65535 is saturated."""
        offset = (self.offsets or {})[BANDS[colour]]
        known = (numbers > 0) & (numbers < _SATURATED)
        return np.where(known, (numbers + offset) / self.quantification, np.nan)


def hidden(classes: Float, mask: Sequence[str]) -> Float:
    """Return 1 where a cell is of one of some scene classes and 0 elsewhere.

    Examples
    --------
    >>> hidden(np.array([4.0, 9.0, np.nan]), ["cloud_high", "no_data"])
    array([0., 1., 1.])
    """
    codes = [CLASSES.index(name) for name in CLASSES if name in mask]
    return np.isin(np.where(np.isfinite(classes), classes, 0.0), codes).astype(float)


def read_scenes(pattern: str, *, boa_add_offset: float | None = None) -> list[Sentinel2Scene]:
    """Return the scenes in a folder and those below it, or that a pattern names.

    Parameters
    ----------
    pattern
        A folder that is or holds ``.SAFE`` folders, or folders of files such as ``B04.tif``.
    boa_add_offset
        What is added to the numbers of all scenes, in place of what their metadata say.

    Raises
    ------
    PermagridError
        If there is no scene of Level 2A, or one has neither metadata nor a stated offset or day.
    """
    found: dict[tuple[Path, str], dict[str, Path]] = {}
    for place in located(pattern):
        for file in sorted(place.rglob("*")) if place.is_dir() else ():
            named = _BAND_FILE.match(file.name)
            # Masks of a band are named like it.
            if named is None or file.name.startswith("MSK_") or _described(file, "MTD_MSIL1C.xml"):
                continue
            bands = found.setdefault((home_of(file), named["scene"]), {})
            band = named["band"].upper()
            bands[band] = min((bands.get(band, file), file), key=_metres)
    if not found:
        level1 = any(any(place.rglob("MTD_MSIL1C.xml")) for place in located(pattern))
        why = "; what is there is Level 1C: correct it for the atmosphere first" if level1 else ""
        raise PermagridError(f"{pattern}: holds no Sentinel-2 scene of Level 2A (no band such as B04){why}")
    return [_scene(home, prefix, files, boa_add_offset) for (home, prefix), files in found.items()]


def home_of(file: Path) -> Path:
    """Return the folder of the scene that a band file belongs to: the granule of a SAFE folder, or its own.

    Examples
    --------
    >>> home_of(Path("a.SAFE/GRANULE/L2A_T34WFD/IMG_DATA/R10m/T34WFD_20200715T101559_B04_10m.jp2")).as_posix()
    'a.SAFE/GRANULE/L2A_T34WFD'
    >>> home_of(Path("scene/B04.tif")).as_posix()
    'scene'
    """
    home = file.parent
    while home.name in _INSIDE:
        home = home.parent
    return home


def _metres(file: Path) -> int:
    named = _BAND_FILE.match(file.name)
    return int(named["metres"] or 0) if named is not None else 0


def _scene(home: Path, prefix: str, files: dict[str, Path], stated: float | None) -> Sentinel2Scene:
    metadata = _described(next(iter(files.values())), METADATA)
    said = _said(metadata) if metadata is not None else {}
    name = f"{home}/{prefix}" if prefix else str(home)
    quantification, offsets = 10000.0, None
    if metadata is not None:
        quantification, offsets = _numbers(metadata, said)
    if stated is not None:
        offsets = dict.fromkeys(BANDS.values(), stated)
    if offsets is None:
        raise PermagridError(
            f"{name}: has no {METADATA} to tell the offset of its numbers; set boa_add_offset: 0 for "
            "processing baselines before 04.00 and where it was taken off already, and -1000 otherwise"
        )
    words = " ".join((prefix, *(place.name for place in _above(home))))
    satellite = _SATELLITE.search(said.get("SPACECRAFT_NAME", words))
    taken = said.get("DATATAKE_SENSING_START") or said.get("PRODUCT_START_TIME")
    return Sentinel2Scene(
        name=name,
        satellite="Sentinel-2" + (satellite[1].upper() if satellite else ""),
        day=_day(name, taken[:10].replace("-", "") if taken else words),
        files=files,
        metadata=metadata,
        quantification=quantification,
        offsets=offsets,
    )


def _described(file: Path, named: str) -> Path | None:
    """Return the file of a name that describes the scene of a band file, or None."""
    return next((place / named for place in _above(home_of(file)) if (place / named).is_file()), None)


def _above(home: Path) -> tuple[Path, ...]:
    """Return the folder of a scene, and the SAFE folder where it is a granule in one."""
    return (home, home.parents[1]) if home.parent.name == "GRANULE" else (home,)


def _day(name: str, text: str) -> date:
    for year, month, day in _DAY.findall(text.replace("T", " ")):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue
    raise PermagridError(f"{name}: neither {METADATA} nor a name such as ..._20200715_B04.tif tells its day")


def _said(metadata: Path) -> dict[str, str]:
    """Return the text of each element of a metadata file, offsets by their bands."""
    try:
        root = ElementTree.parse(metadata).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise PermagridError(f"{metadata}: cannot be read as XML ({error})") from error
    said: dict[str, str] = {}
    for element in root.iter():
        key = element.tag.rpartition("}")[2] + element.get("band_id", "")
        said.setdefault(key, (element.text or "").strip())
    return said


def _numbers(metadata: Path, said: dict[str, str]) -> tuple[float, dict[str, float]]:
    """Return quantification and offsets of the bands."""
    try:
        quantification = float(said["BOA_QUANTIFICATION_VALUE"])
        baseline = float(said["PROCESSING_BASELINE"])
        if baseline < _OFFSETS_SINCE:
            return quantification, dict.fromkeys(BANDS.values(), 0.0)
        offsets = {band: float(said[f"BOA_ADD_OFFSET{key}"]) for band, key in _IDENTITIES.items()}
    except (KeyError, ValueError) as error:
        raise PermagridError(
            f"{metadata}: does not tell how numbers become reflectance ({error}); it needs "
            "BOA_QUANTIFICATION_VALUE, PROCESSING_BASELINE, and from 04.00 on BOA_ADD_OFFSET"
        ) from error
    return quantification, offsets
