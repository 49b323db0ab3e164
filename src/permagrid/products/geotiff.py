"""Cloud-Optimised GeoTIFFs: checked, written once, read back, and only then given their name."""

import glob
import hashlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import odc.geo.xr  # noqa: F401  (gives DataArrays their geobox)
import rasterio
import rasterio.shutil
import xarray as xr
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.windows import Window

from permagrid.errors import PermagridError, RunError
from permagrid.files import sync_folder
from permagrid.products.legend import CLASS_NODATA, Legend
from permagrid.products.scratch import (
    BLOCK,
    CACHE_MB,
    check_dtype,
    check_folder,
    first_line,
    open_scratch,
    reason,
    windows,
)
from permagrid.products.styles import rgb

_WRITE_FAULTS = (RasterioError, CPLE_BaseError, OSError, SystemError)
"""What a full disk raises: rasterio wraps a GDAL failure without a message in `SystemError`."""


def write_cog(
    path: Path,
    source: Path | xr.DataArray,
    *,
    legend: Legend,
    epoch: str,
    description: str,
    valid_range: tuple[float, float] | None,
    tags: Mapping[str, str],
    hashes: Sequence[tuple[tuple[slice, slice], bytes]] | None = None,
) -> None:
    """Write one map as a Cloud-Optimised GeoTIFF whose bytes depend on its pixels and words only.

    In constant memory. It is read back and compared with what it was made from before it gets its name: a
    failure leaves nothing behind.

    Parameters
    ----------
    path
        The file to write, normally ``{study}_{variable}_{epoch}.tif``.
    source
        The map: a two-dimensional array with a geobox, or a tiled GeoTIFF made with `open_scratch`.
        Arrays of classes may hold NaN where there is no data.
    legend
        Gives the variable, its unit, and for classes the colour table.
    epoch
        Inclusive years, such as ``1980-1984``.
    description
        One or two sentences on what the map shows.
    valid_range
        Lowest and highest legal value [unit of the legend].
    tags
        Further metadata, such as study and digest. Keep times out, or bytes will differ.
    hashes
        Rows and columns of parts of the map, and the `pixel_hash` that each must have when it is read back;
        compared with `source` if left out.

    Raises
    ------
    PermagridError
        If a value is illegal, the source has an unfit type or no grid, or the file cannot be written.
    """
    path = Path(path)
    check_folder(path)
    partial = path.with_name(f".{path.stem}.partial.tif")
    scratch = path.with_name(f".{path.stem}.scratch.tif")
    with ExitStack() as stack:
        stack.callback(_remove, partial)
        stack.callback(_remove, scratch)
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE_MB, GDAL_PAM_ENABLED=False))
        try:
            if isinstance(source, xr.DataArray):
                _store(scratch, source, legend, place=str(path))
            pixels = scratch if isinstance(source, xr.DataArray) else Path(source)
            statistics = _checked_statistics(pixels, legend, valid_range, place=str(path))
            words = _words(legend, epoch, description, valid_range, tags)
            vrt = _vrt(pixels, legend, statistics, words)
            rasterio.shutil.copy(vrt, partial, driver="COG", **_creation_options(legend, pixels))
            if hashes is None:
                check_same_pixels(partial, pixels)
            else:
                check_pixel_hashes(partial, hashes)
            _to_disk(partial)
            os.replace(partial, path)  # noqa: PTH105
            sync_folder(path.parent)
            path.with_name(f"{path.name}.aux.xml").unlink(missing_ok=True)
        except _WRITE_FAULTS as error:
            raise RunError(f"cannot write {path}: {reason(error, path)}") from error


def check_same_pixels(written: Path, source: Path) -> None:
    """Raise `PermagridError` unless two rasters hold the same values, block by block.

    Parameters
    ----------
    written
        The file that was made.
    source
        What it was made from.

    Raises
    ------
    PermagridError
        Naming the first block that differs or cannot be read.
    """
    with rasterio.open(written) as one, rasterio.open(source) as two:
        if (one.width, one.height, one.dtypes) != (two.width, two.height, two.dtypes):
            raise PermagridError(f"{written}: reads back with another size or type than what was written")
        for window in windows(two.width, two.height):
            where = f"block at column {window.col_off}, row {window.row_off}"
            try:
                same = np.array_equal(
                    one.read(1, window=window),
                    two.read(1, window=window),
                    equal_nan=np.dtype(two.dtypes[0]).kind == "f",
                )
            except RasterioError as error:
                raise PermagridError(f"{written}: {where} cannot be read back") from error
            if not same:
                raise PermagridError(f"{written}: {where} reads back different from what was written")


def pixel_hash(values: NDArray[Any]) -> bytes:
    """Return the hash of pixels, the same for all that are not a number.

    Examples
    --------
    >>> pixel_hash(np.float32([1.0, np.nan])) == pixel_hash(np.float32([1.0, -np.nan]))
    True
    """
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.array(np.nan, dtype=values.dtype), values)
    return hashlib.sha256(values.tobytes()).digest()


def check_pixel_hashes(written: Path, hashes: Sequence[tuple[tuple[slice, slice], bytes]]) -> None:
    """Raise `PermagridError` unless parts of a raster have the `pixel_hash` that they must have.

    Parameters
    ----------
    written
        The file that was made.
    hashes
        Rows, columns and hash of each part.

    Raises
    ------
    PermagridError
        Naming the first part that differs or cannot be read.
    """
    with rasterio.open(written) as raster:
        for (rows, columns), wanted in hashes:
            where = f"block at column {columns.start}, row {rows.start}"
            try:
                values = raster.read(1, window=Window.from_slices(rows, columns))
            except RasterioError as error:
                raise RunError(f"{written}: {where} cannot be read back") from error
            if pixel_hash(values) != wanted:
                raise RunError(f"{written}: {where} reads back different from what was written")


def _store(scratch: Path, array: xr.DataArray, legend: Legend, *, place: str) -> None:
    """Write an array, which may be lazy, into a scratch file block by block."""
    geobox = array.odc.geobox
    if geobox is None or geobox.crs is None or array.ndim != 2:
        raise PermagridError(
            f"{place}: needs a map of two dimensions with a CRS, found dimensions {array.dims}, CRS "
            f"{None if geobox is None else geobox.crs}"
        )
    classes = legend.kind == "classes"
    if not classes and array.dtype.kind != "f":
        raise PermagridError(f"{place}: {legend.variable} must hold floats, found {array.dtype}")
    dtype = "uint8" if classes else ("float64" if array.dtype == np.float64 else "float32")
    with open_scratch(scratch, geobox, dtype, CLASS_NODATA if classes else math.nan) as dataset:
        for window in windows(geobox.width, geobox.height):
            rows, columns = window.toslices()
            block = np.asarray(array[rows, columns].values)
            dataset.write(_class_codes(block, place) if classes else block.astype(dtype), 1, window=window)


def _class_codes(block: NDArray[Any], place: str) -> NDArray[np.uint8]:
    codes = np.where(np.isnan(block), CLASS_NODATA, block) if block.dtype.kind == "f" else block
    fit = (codes >= 0) & (codes <= CLASS_NODATA) & (codes == np.floor(codes))
    if not fit.all():
        raise PermagridError(f"{place}: class codes must be whole numbers 0..254, found {codes[~fit][0]:g}")
    return np.asarray(codes, dtype=np.uint8)


def _blocks(dataset: Any) -> Iterator[tuple[Window, NDArray[Any]]]:
    for window in windows(dataset.width, dataset.height):
        yield window, dataset.read(1, window=window)


def _checked_statistics(
    pixels: Path, legend: Legend, valid_range: tuple[float, float] | None, *, place: str
) -> dict[str, str]:
    """Check every value; return GDAL's band statistics, summed in one fixed order of blocks."""
    count, low, high, sums, squares = 0, math.inf, -math.inf, [], []
    with _open(pixels) as dataset:
        check_dtype(dataset.dtypes[0], dataset.nodata, place=str(pixels))
        if (dataset.dtypes[0] == "uint8") != (legend.kind == "classes"):
            raise PermagridError(f"{place}: found {dataset.dtypes[0]} for a legend of kind {legend.kind}")
        for window, block in _blocks(dataset):
            valid = block[block != CLASS_NODATA] if block.dtype == np.uint8 else block[~np.isnan(block)]
            if valid.size == 0:
                continue
            _check_values(valid, legend, valid_range, f"{place}, block at {window.col_off}, {window.row_off}")
            values = valid.astype(np.float64)
            count += values.size
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            sums.append(float(values.sum()))
            squares.append(float(np.square(values).sum()))
    if count == 0:
        return {}
    mean = math.fsum(sums) / count
    spread = math.sqrt(max(math.fsum(squares) / count - mean**2, 0.0))
    with _open(pixels) as dataset:
        percent = 100.0 * count / (dataset.width * dataset.height)
    return {
        "STATISTICS_MINIMUM": f"{low:.9g}",
        "STATISTICS_MAXIMUM": f"{high:.9g}",
        "STATISTICS_MEAN": f"{mean:.9g}",
        "STATISTICS_STDDEV": f"{spread:.9g}",
        "STATISTICS_VALID_PERCENT": f"{percent:.4g}",
    }


def _check_values(
    valid: NDArray[Any], legend: Legend, valid_range: tuple[float, float] | None, where: str
) -> None:
    low, high = float(valid.min()), float(valid.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise PermagridError(f"{where}: {legend.variable} holds an infinite value")
    if valid_range is not None and (low < valid_range[0] or high > valid_range[1]):
        raise PermagridError(
            f"{where}: {legend.variable} ranges over {low:g}..{high:g} {legend.unit}, outside its valid "
            f"range {valid_range[0]:g}..{valid_range[1]:g}"
        )
    if legend.kind == "classes":
        unknown = sorted(set(np.unique(valid).tolist()) - {int(stop.value) for stop in legend.stops})
        if unknown:
            raise PermagridError(
                f"{where}: {legend.variable} holds class {unknown[0]}; the legend knows "
                + ", ".join(f"{int(stop.value)} ({stop.label})" for stop in legend.stops)
            )


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        with rasterio.open(path) as dataset:
            if dataset.crs is None or dataset.count != 1:
                raise PermagridError(
                    f"{path}: needs one band and a CRS, found {dataset.count}, {dataset.crs}"
                )
            yield dataset
    except RasterioError as error:
        raise PermagridError(f"cannot read {path}: {first_line(error)}") from error


def _words(
    legend: Legend,
    epoch: str,
    description: str,
    valid_range: tuple[float, float] | None,
    tags: Mapping[str, str],
) -> dict[str, str]:
    """Return the metadata of the file; the caller's tags may not change what the map itself says."""
    words = {str(key): str(value) for key, value in tags.items()}
    words |= {
        "AREA_OR_POINT": "Area",
        "TIFFTAG_DOCUMENTNAME": f"{legend.title}, {epoch}",
        "TIFFTAG_IMAGEDESCRIPTION": description,
        "TIFFTAG_SOFTWARE": "permagrid",
        "variable": legend.variable,
        "long_name": legend.title,
        "units": legend.unit,
        "epoch": epoch,
    }
    if legend.cf_standard_name:
        words["standard_name"] = legend.cf_standard_name
    if valid_range is not None:
        words["valid_range"] = f"{valid_range[0]:g} {valid_range[1]:g}"
    return dict(sorted(words.items()))


def _vrt(pixels: Path, legend: Legend, statistics: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Return a virtual raster that adds the words to the pixels, whose file stays untouched."""
    with _open(pixels) as dataset:
        size = {"rasterXSize": str(dataset.width), "rasterYSize": str(dataset.height)}
        root = ElementTree.Element("VRTDataset", size)
        ElementTree.SubElement(root, "SRS").text = dataset.crs.to_wkt()
        ElementTree.SubElement(root, "GeoTransform").text = ", ".join(
            repr(number) for number in dataset.transform.to_gdal()
        )
        _metadata(root, words)
        band = ElementTree.SubElement(
            root,
            "VRTRasterBand",
            dataType={"uint8": "Byte", "float32": "Float32", "float64": "Float64"}[dataset.dtypes[0]],
            band="1",
            blockXSize=str(BLOCK),
            blockYSize=str(BLOCK),
        )
        _metadata(band, statistics)
        ElementTree.SubElement(band, "Description").text = band_name(legend)
        ElementTree.SubElement(band, "NoDataValue").text = str(dataset.nodata)
        ElementTree.SubElement(band, "UnitType").text = legend.unit
        if legend.kind == "classes":
            _colour_table(band, legend)
        simple = ElementTree.SubElement(band, "SimpleSource")
        ElementTree.SubElement(simple, "SourceFilename", relativeToVRT="0").text = str(pixels.resolve())
        ElementTree.SubElement(simple, "SourceBand").text = "1"
        for name in ("SrcRect", "DstRect"):
            ElementTree.SubElement(
                simple, name, xOff="0", yOff="0", xSize=size["rasterXSize"], ySize=size["rasterYSize"]
            )
    return ElementTree.tostring(root, encoding="unicode")


def band_name(legend: Legend) -> str:
    """Return the band description: the variable with its unit, as not every reader shows units.

    Examples
    --------
    >>> from permagrid.products.legend import LEGENDS
    >>> band_name(LEGENDS["active_layer_thickness"])
    'active_layer_thickness [cm]'
    """
    return legend.variable if legend.unit in ("1", "") else f"{legend.variable} [{legend.unit}]"


def _metadata(parent: ElementTree.Element, words: Mapping[str, str]) -> None:
    metadata = ElementTree.SubElement(parent, "Metadata")
    for key, value in words.items():
        ElementTree.SubElement(metadata, "MDI", key=key).text = value


def _colour_table(band: ElementTree.Element, legend: Legend) -> None:
    ElementTree.SubElement(band, "ColorInterp").text = "Palette"
    table = ElementTree.SubElement(band, "ColorTable")
    colours = {int(stop.value): rgb(stop.colour) for stop in legend.stops}
    for code in range(CLASS_NODATA + 1):
        red, green, blue = colours.get(code, (0, 0, 0))
        ElementTree.SubElement(
            table,
            "Entry",
            c1=str(red),
            c2=str(green),
            c3=str(blue),
            c4="255" if code in colours else "0",
        )


def _creation_options(legend: Legend, pixels: Path) -> dict[str, str]:
    with _open(pixels) as dataset:
        whole_numbers = dataset.dtypes[0] == "uint8"
    return {
        "BLOCKSIZE": str(BLOCK),
        "COMPRESS": "DEFLATE",
        "PREDICTOR": "STANDARD" if whole_numbers else "FLOATING_POINT",
        "OVERVIEWS": "IGNORE_EXISTING",
        "OVERVIEW_RESAMPLING": "MODE" if legend.kind == "classes" else "AVERAGE",
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "1",
        "STATISTICS": "AUTO",
    }


def _remove(temporary: Path) -> None:
    """Remove a temporary file and what GDAL keeps beside it while it builds overviews."""
    if temporary.parent.is_dir():
        for leftover in temporary.parent.glob(f"{glob.escape(temporary.name)}*"):
            leftover.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
