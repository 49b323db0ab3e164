"""One Landsat scene: its bands, and how their digital numbers become reflectance or temperature."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor
from pathlib import Path
from typing import Literal

import numpy as np

from permagrid.covariates.surface.mtl import SUFFIXES, Metadata, read_mtl
from permagrid.covariates.surface.scenes import located
from permagrid.errors import PermagridError
from permagrid.grid import Float

Level = Literal["surface", "top_of_atmosphere"]

_TM = {"blue": "1", "green": "2", "red": "3", "nir": "4", "swir1": "5", "swir2": "7"}
_OLI = {"blue": "2", "green": "3", "red": "4", "nir": "5", "swir1": "6", "swir2": "7"}
_THERMAL = {4: "6", 5: "6", 7: "6_VCID_1", 8: "10", 9: "10"}
_SOLAR = {
    4: (1983.0, 1795.0, 1539.0, 1028.0, 219.8, 0.0, 83.49),
    5: (1983.0, 1796.0, 1536.0, 1031.0, 220.0, 0.0, 83.44),
    7: (1997.0, 1812.0, 1533.0, 1039.0, 230.8, 0.0, 84.90),
}
"""Satellite -> mean solar irradiance outside the atmosphere in bands 1 to 7 [W m-2 um-1]; Chander et al.
(2009), Remote Sensing of Environment 113, 893-903."""
_PLANCK = {4: (671.62, 1284.30), 5: (607.76, 1260.56), 7: (666.09, 1282.71)}
"""Satellite -> K1 [W m-2 sr-1 um-1] and K2 [K] of band 6, of the same source."""
_TEMPERATURE_NUMBERS = (293.0, 65535.0)
"""Valid digital numbers of Collection 2 surface temperature."""

_CONTENTS = ("PRODUCT_CONTENTS", "PRODUCT_METADATA")
_BAND_FILE = re.compile(r"^(L[A-Z]\w+?)_(?:SR_|ST_)?B\d+\w*\.TIF$", re.IGNORECASE)


@dataclass(frozen=True)
class Calibration:
    """How digital numbers become a quantity."""

    factor: float
    """Of a number."""
    offset: float
    """Added to it."""
    lowest: float = 1.0
    """Lowest number that is valid; 0 is fill."""
    highest: float = 65535.0
    """Highest number that is valid."""
    planck: tuple[float, float] | None = None
    """K1 and K2, where the quantity is a radiance that becomes a brightness temperature."""

    def values(self, numbers: Float) -> Float:
        """Return the quantity: reflectance [1] or temperature [K], NaN where the number is not valid.

        Examples
        --------
        >>> Calibration(2.75e-5, -0.2, 7273, 43636).values(np.array([0.0, 7273.0, 20000.0, 43637.0])).round(4)
        array([ nan, 0.  , 0.35,  nan])
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            values = numbers * self.factor + self.offset
            known = (numbers >= self.lowest) & (numbers <= self.highest)
            if self.planck is not None:
                known &= values > 0
                values = self.planck[1] / np.log(self.planck[0] / values + 1.0)
        return np.where(known, values, np.nan)


@dataclass(frozen=True)
class LandsatScene:
    """A scene of Landsat 4 to 9 as its MTL file describes it."""

    metadata: Metadata
    """What the MTL file says."""
    number: int
    """Of the satellite."""
    day: date
    """When it was taken."""
    level: Level
    """Whether its bands are reflectance at the surface, or the radiance that reached the sensor."""

    @property
    def name(self) -> str:
        """Name of the product: the files' names begin with it."""
        return _product(self.metadata.path)

    @property
    def satellite(self) -> str:
        """Name of the satellite, such as Landsat 8."""
        return f"Landsat {self.number}"

    def band(self, colour: str) -> str:
        """Return the number of the band of a colour, or of ``thermal``."""
        if colour == "thermal":
            return _THERMAL[self.number]
        return (_OLI if self.number >= 8 else _TM)[colour]

    def file(self, colour: str) -> Path:
        """Return the file of a colour, or of ``thermal``.

        Raises
        ------
        PermagridError
            If the MTL file names none.
        """
        band = self.band(colour)
        if colour == "thermal" and self.level == "surface":
            band = f"ST_B{band.removesuffix('_VCID_1')}"
        key, old = f"FILE_NAME_BAND_{band}", f"BAND{band}_FILE_NAME"
        named = self.metadata.find(key, *_CONTENTS) or self.metadata.find(old)
        if named is None:
            raise PermagridError(f"{self.metadata.path}: names no file of the {colour} band ({key})")
        return self.metadata.path.parent / Path(named).name

    @property
    def has_temperature(self) -> bool:
        """Whether there is a temperature: Level-2 scenes without one are delivered as L2SR."""
        band = f"FILE_NAME_BAND_ST_B{self.band('thermal').removesuffix('_VCID_1')}"
        return self.level != "surface" or self.metadata.find(band, *_CONTENTS) is not None

    @property
    def quality(self) -> Path | None:
        """The file of QA_PIXEL, or None where the product has none; its bits are those of Collection 2."""
        named = self.metadata.find("FILE_NAME_QUALITY_L1_PIXEL", *_CONTENTS)
        return None if named is None else self.metadata.path.parent / Path(named).name

    @property
    def saturation(self) -> Path | None:
        """The file of QA_RADSAT, or None where the product has none."""
        named = self.metadata.find("FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION", *_CONTENTS)
        return None if named is None else self.metadata.path.parent / Path(named).name

    def calibration(self, colour: str) -> Calibration:
        """Return how the numbers of a colour become reflectance, or those of ``thermal`` temperature [K].

        Factors are those of the MTL file. Where a Level-2 file has none, those of all Collection 2 are taken.
        At Level 1 radiance follows from its range, which old files write with more digits than the factor;
        reflectance from its own factor, or from radiance, distance and height of the sun (Chander et al.
        2009).

        Raises
        ------
        PermagridError
            If the MTL file lacks what is needed.
        """
        if colour == "thermal":
            return self._temperature()
        band = self.band(colour)
        if self.level == "surface":
            group = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
            factor = self.metadata.number(f"REFLECTANCE_MULT_BAND_{band}", group) or 2.75e-5
            offset = self.metadata.number(f"REFLECTANCE_ADD_BAND_{band}", group)
            offset = -0.2 if offset is None else offset
            # The valid range of the product is that of a reflectance: 7273 to 43636.
            return Calibration(factor, offset, ceil(-offset / factor), floor((1.0 - offset) / factor))
        height = self.metadata.number("SUN_ELEVATION")
        if height is None or height <= 0:
            raise PermagridError(f"{self.metadata.path}: reflectance needs SUN_ELEVATION, found {height}")
        sine = float(np.sin(np.radians(height)))
        numbers = self._numbers(band)
        factor = self.metadata.number(f"REFLECTANCE_MULT_BAND_{band}") or 0.0
        offset = self.metadata.number(f"REFLECTANCE_ADD_BAND_{band}")
        if factor and offset is not None:
            return Calibration(factor / sine, offset / sine, *numbers)
        if self.number not in _SOLAR:
            raise PermagridError(f"{self.metadata.path}: has no REFLECTANCE_MULT_BAND_{band}")
        gain, bias = self._radiance(band)
        share = np.pi * self.sun_distance**2 / (_SOLAR[self.number][int(band) - 1] * sine)
        return Calibration(gain * share, bias * share, *numbers)

    @property
    def sun_distance(self) -> float:
        """Distance of the sun [astronomical unit]: from the MTL file, or from the day of the year."""
        stated = self.metadata.number("EARTH_SUN_DISTANCE")
        day = self.day.timetuple().tm_yday
        return stated or 1.0 - 0.01672 * float(np.cos(np.radians(0.9856 * (day - 4))))

    def _temperature(self) -> Calibration:
        band = self.band("thermal")
        if self.level == "surface":
            name, group = f"ST_B{band.removesuffix('_VCID_1')}", "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS"
            factor = self.metadata.number(f"TEMPERATURE_MULT_BAND_{name}", group) or 0.00341802
            offset = self.metadata.number(f"TEMPERATURE_ADD_BAND_{name}", group)
            return Calibration(factor, 149.0 if offset is None else offset, *_TEMPERATURE_NUMBERS)
        stated = [self.metadata.number(f"{key}_CONSTANT_BAND_{band}") for key in ("K1", "K2")]
        first, second = stated if None not in stated else _PLANCK.get(self.number, (None, None))
        if first is None or second is None:
            raise PermagridError(f"{self.metadata.path}: has no K1_CONSTANT_BAND_{band}")
        return Calibration(*self._radiance(band), *self._numbers(band), (first, second))

    def _numbers(self, band: str) -> tuple[float, float]:
        """Return the lowest and highest valid number: the highest that can be stored is saturated."""
        lowest, highest = self._range("QUANTIZE_CAL_{}_BAND_{}", "QCAL{}_BAND{}", band)
        if highest is None:
            highest = 65535.0 if self.number >= 8 else 255.0
        return (1.0 if lowest is None else lowest), highest - 1.0

    def _radiance(self, band: str) -> tuple[float, float]:
        """Return factor and offset of the radiance [W m-2 sr-1 um-1]."""
        low, high = self._range("RADIANCE_{}IMUM_BAND_{}", "L{}_BAND{}", band)
        first, last = self._range("QUANTIZE_CAL_{}_BAND_{}", "QCAL{}_BAND{}", band)
        if low is not None and high is not None and first is not None and last is not None:
            gain = (high - low) / (last - first)
            return gain, low - gain * first
        gain_stated = self.metadata.number(f"RADIANCE_MULT_BAND_{band}")
        bias = self.metadata.number(f"RADIANCE_ADD_BAND_{band}")
        if gain_stated is None or bias is None:
            raise PermagridError(f"{self.metadata.path}: has no RADIANCE_MULT_BAND_{band}")
        return gain_stated, bias

    def _range(self, pattern: str, old: str, band: str) -> tuple[float | None, float | None]:
        """Return a least and greatest value by the names of their keys, of today or before 2012."""
        found = []
        for end in ("MIN", "MAX"):
            value = self.metadata.number(pattern.format(end, band))
            found.append(self.metadata.number(old.format(end, band)) if value is None else value)
        return found[0], found[1]


def read_scene(path: Path) -> LandsatScene:
    """Return the scene that an MTL file describes.

    Raises
    ------
    PermagridError
        If the file is damaged, or the scene is of a sensor that is not read.
    """
    metadata = read_mtl(path)
    spacecraft, sensor = metadata.text("SPACECRAFT_ID"), metadata.text("SENSOR_ID")
    number = int(re.sub(r"\D", "", spacecraft) or 0)
    if number not in _THERMAL or "MSS" in sensor:
        raise PermagridError(
            f"{path}: sensor {sensor} of {spacecraft} is not read; "
            "allowed: TM, ETM+, OLI and TIRS of Landsat 4, 5 and 7 to 9"
        )
    taken = metadata.find("DATE_ACQUIRED") or metadata.text("ACQUISITION_DATE")
    try:
        day = date.fromisoformat(taken)
    except ValueError as error:
        raise PermagridError(f"{path}: DATE_ACQUIRED must be a day, found {taken!r}") from error
    level = metadata.find("PROCESSING_LEVEL", *_CONTENTS) or metadata.find("DATA_TYPE", *_CONTENTS)
    level = level or metadata.find("PRODUCT_TYPE") or ""
    return LandsatScene(metadata, number, day, "surface" if level.startswith("L2") else "top_of_atmosphere")


def mtl_files(pattern: str) -> list[Path]:
    """Return the MTL files in a folder and those below it, or that a pattern names: one for each scene.

    Raises
    ------
    PermagridError
        If nothing is there, or bands lie without their MTL file.
    """
    files: dict[Path, Path] = {}
    for place in located(pattern):
        inside = [p for s in SUFFIXES for p in place.rglob(f"*{s}")] if place.is_dir() else [place]
        for file in inside:
            if file.name.endswith(SUFFIXES):
                files.setdefault(file.with_name(_product(file)), file)
    orphans = sorted(orphan for place in located(pattern) for orphan in _orphans(place, set(files)))
    if orphans:
        band, scene = orphans[0]
        others = len({each for _, each in orphans}) - 1
        raise PermagridError(
            f"{band}: the scene has no MTL file; {scene}_MTL.txt must lie beside its bands"
            + (f" ({others} more such scenes)" if others else "")
        )
    if not files:
        packed = next((p for place in located(pattern) for p in place.rglob("*.tar*")), None)
        hint = f"; unpack {packed.name} and the like first" if packed is not None else ""
        raise PermagridError(f"{pattern}: holds no Landsat scene (no file ..._MTL.txt){hint}")
    return sorted(files.values())


def _orphans(place: Path, scenes: set[Path]) -> Iterator[tuple[Path, str]]:
    for file in place.rglob("*") if place.is_dir() else ():
        band = _BAND_FILE.match(file.name)
        if band is not None and file.with_name(band[1]) not in scenes:
            yield file, band[1]


def _product(path: Path) -> str:
    return path.name.removesuffix(SUFFIXES[0]).removesuffix(SUFFIXES[1])


def read_scenes(pattern: str) -> list[LandsatScene]:
    """Return the scenes in a folder, or that a pattern names; errors as `mtl_files` and `read_scene`."""
    return [read_scene(path) for path in mtl_files(pattern)]


def bands_needed(scene: LandsatScene, colours: Sequence[str], mask: Sequence[str]) -> dict[str, Path]:
    """Return the files of a scene that a variable needs: by colour, and ``quality`` and ``saturation``.

    Raises
    ------
    PermagridError
        If the scene has no such band, or no quality band of Collection 2 to be masked by.
    """
    files = {colour: scene.file(colour) for colour in colours}
    for band, path, asked in (
        ("QA_PIXEL", scene.quality, [kind for kind in mask if kind != "saturation"]),
        ("QA_RADSAT", scene.saturation, [kind for kind in mask if kind == "saturation"]),
    ):
        if asked and path is None:
            raise PermagridError(
                f"{scene.metadata.path}: the scene has no {band} of Collection 2 to mask "
                f"{', '.join(asked)} by; leave that out of mask if it may stay"
            )
        if asked and path is not None:
            files["quality" if band == "QA_PIXEL" else "saturation"] = path
    return files
