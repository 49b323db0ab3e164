"""The terrain analysis of a whole grid: every index is made once, when it is first asked for."""

from collections.abc import Callable
from threading import Lock
from typing import Any, Literal, TypeVar
from weakref import ref

import numpy as np
from numpy.typing import ArrayLike, NDArray
from odc.geo.geobox import GeoBox
from scipy import ndimage

from permagrid.covariates.terrain.base_level import base_level
from permagrid.covariates.terrain.bending import curvature
from permagrid.covariates.terrain.channels import strahler_order
from permagrid.covariates.terrain.convergence import convergence_index
from permagrid.covariates.terrain.disk import cells_within, disk_of, disk_sums, mean_filter
from permagrid.covariates.terrain.fill import fill, fill_and_level, ringed
from permagrid.covariates.terrain.flow import CONVERGENCE, drained_area, spread_area, steepest_descent
from permagrid.covariates.terrain.frame import Distances, frame_of
from permagrid.covariates.terrain.local import direction
from permagrid.covariates.terrain.memory import GIB, refuse_beyond
from permagrid.covariates.terrain.wetness import LEAST_SLOPE, WaterIndex, water_index
from permagrid.errors import PermagridError
from permagrid.grid import Float

Flow = Literal["multiple", "single"]
"""Whether water spreads to all lower neighbours, or goes down the steepest way only."""
Voids = Literal["drain", "refuse"]
"""Whether water leaves into nodata that land encloses, or such a DEM is refused."""

Layer = NDArray[np.float32]
Made = TypeVar("Made")

CHANNEL_ORDER = 5
"""Strahler order from which on a stream is a channel, and upside down a ridge."""

SMOOTHING = 3.0
"""Radius of the mean filter before curvatures and convergence, on a grid of degrees of cells as large as
the mean one but square [cell]."""

BYTES_PER_CELL = 88
"""What an analysis of all eleven indices takes at most."""

_ROWS_AT_A_TIME = 256


class TerrainAnalysis:
    """Terrain indices of a whole grid, each made when it is first asked for, from whichever thread.

    Methods return arrays of shape ``(rows, columns)``, NaN as nodata, which are not to be changed. Slope,
    curvatures, convergence and all that has to do with water are of the elevation after its depressions have
    been filled, curvatures and convergence also after a mean filter.

    Parameters
    ----------
    elevation
        Shape of the grid, NaN as nodata [m].
    geobox
        The grid.
    distances
        ``ellipsoid`` for true distances, ``plane`` for those that the grid's coordinates say.
    voids
        ``drain`` lets water leave into nodata that land encloses, as into a lake; ``refuse`` does not take
        such a DEM.
    memory
        What the analysis may take, all that there is if None [GiB].

    Raises
    ------
    PermagridError
        If the elevation has no data, is not of the shape of the grid, or of fewer than 3 x 3 cells; if it has
        voids that are not to drain; if the memory does not suffice; if a grid of degrees is to be a plane.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> grid = make_geobox("EPSG:3995", 10, bounds=(0, 0, 50, 40))
    >>> tilted = np.arange(5.0) * np.ones((4, 1))
    >>> TerrainAnalysis(tilted, grid, distances="plane").slope()[0].round(2)
    array([5.71, 5.71, 5.71, 5.71, 5.71], dtype=float32)
    """

    def __init__(
        self,
        elevation: ArrayLike,
        geobox: GeoBox,
        *,
        distances: Distances = "ellipsoid",
        voids: Voids = "drain",
        memory: float | None = None,
    ) -> None:
        refuse_large(geobox, memory)
        values = np.asarray(elevation)
        if values.shape != tuple(geobox.shape):
            raise PermagridError(f"elevation has shape {values.shape}, the grid {tuple(geobox.shape)}")
        if min(values.shape) < 3:
            raise PermagridError(
                f"a DEM of {values.shape[0]} x {values.shape[1]} cells (rows x columns) has no terrain; "
                "at least 3 x 3 are needed"
            )
        self._ground = ringed(values)
        self._ground[~np.isfinite(self._ground)] = np.nan
        if np.isnan(self._ground).all():
            raise PermagridError("the elevation has no data in any cell of the grid, so that nothing flows")
        if voids == "refuse":
            _refuse_voids(self._ground)
        self._geobox, self._frame = geobox, frame_of(geobox, distances=distances)
        # How lengths change from row to row is asked of the rows beside them.
        rows = slice(-1, values.shape[0] + 1), slice(0, values.shape[1])
        self._wider_frame = frame_of(geobox, rows, distances=distances)
        self._lock, self._locks, self._made = Lock(), dict[Any, Lock](), dict[Any, Any]()
        self._smooth: dict[float, ref[Float]] = {}

    def elevation(self) -> Layer:
        """Return the elevation itself [m]."""
        return self._ground[1:-1, 1:-1]

    def filled_elevation(self) -> Layer:
        """Return the elevation after filling, rising by a millimetre a step from its outlets [m]."""
        return self._surface()[1:-1, 1:-1].astype("float32")

    def closed_depressions(self) -> Layer:
        """Return how deep water would stand before it flows over, to millimetres; else 0 [m]."""
        return self._once("closed_depressions", self._depressions)

    def slope(self) -> Layer:
        """Return the slope (Zevenbergen and Thorne 1987) [degree]."""
        return self._once("slope", lambda: direction(self._surface(), self._frame, "slope"))

    def cross_sectional_curvature(self, smoothing: float = SMOOTHING) -> Layer:
        """Return the curvature across the slope, SAGA's plan curvature: above 0 on spurs [1/m]."""
        return self._bent("cross_sectional", smoothing)

    def longitudinal_curvature(self, smoothing: float = SMOOTHING) -> Layer:
        """Return the curvature along the slope, SAGA's profile curvature: above 0 on upper slopes [1/m]."""
        return self._bent("longitudinal", smoothing)

    def convergence_index(self, smoothing: float = SMOOTHING) -> Layer:
        """Return how much slopes around a cell face it, see `convergence.convergence_index` [%]."""

        def make() -> Layer:
            return convergence_index(self.smoothed_elevation(smoothing), self._frame)

        return self._once(("convergence_index", smoothing), make)

    def total_catchment_area(self, flow: Flow = "multiple", convergence: float = CONVERGENCE) -> Layer:
        """Return the area that drains through each cell, itself included [m2]."""

        def make() -> Layer:
            surface = self._surface()
            if flow == "single":
                area = drained_area(steepest_descent(surface, self._frame), self._frame)
            else:
                area = spread_area(surface, self._frame, convergence=convergence)
            inner = area[1:-1, 1:-1].astype("float32")
            inner[np.isnan(self.elevation())] = np.nan
            return inner

        return self._once(("area", flow, convergence if flow == "multiple" else None), make)

    def specific_catchment_area(self, flow: Flow = "multiple", convergence: float = CONVERGENCE) -> Layer:
        """Return the catchment area over the width of the cell across the slope [m]."""
        return self._wet("specific_catchment_area", flow, convergence)

    def topographic_wetness_index(
        self, flow: Flow = "multiple", convergence: float = CONVERGENCE, least_slope: float = LEAST_SLOPE
    ) -> Layer:
        """Return ln(specific catchment area / tan slope) [1]."""
        return self._wet("topographic_wetness_index", flow, convergence, least_slope)

    def ls_factor(self, flow: Flow = "multiple", convergence: float = CONVERGENCE) -> Layer:
        """Return the factor of slope length and steepness (Moore et al. 1991) [1]."""
        return self._wet("ls_factor", flow, convergence)

    def strahler_order(self) -> Layer:
        """Return the order of the stream through each cell [1]."""
        order = self._orders(False)[1:-1, 1:-1]
        return np.where(np.isnan(self.elevation()), np.float32(np.nan), order.astype("float32"))

    def channel_network_distance(self, channel_order: int = CHANNEL_ORDER) -> Layer:
        """Return the height above the level of channels, see `base_level.base_level` [m].

        Raises
        ------
        PermagridError
            If no stream is of that order.
        """
        return self._once(("channels", channel_order), lambda: self._distance(channel_order, False))

    def valley_depth(self, ridge_order: int = CHANNEL_ORDER) -> Layer:
        """Return the depth below the level of ridges, which are the channels of the ground upside down [m].

        Raises
        ------
        PermagridError
            If no ridge is of that order.
        """
        return self._once(("ridges", ridge_order), lambda: self._distance(ridge_order, True))

    def relative_slope_position(
        self, channel_order: int = CHANNEL_ORDER, ridge_order: int = CHANNEL_ORDER
    ) -> Layer:
        """Return the share of the way up from channels to ridges, 0 to 1; where both meet, 0 [1].

        Raises
        ------
        PermagridError
            If no stream, or no ridge, is of that order.
        """

        def make() -> Layer:
            height, depth = self.channel_network_distance(channel_order), self.valley_depth(ridge_order)
            return np.where(height > 0, height / np.where(height > 0, height + depth, 1.0), height)

        return self._once(("position", channel_order, ridge_order), make)

    def _once(self, key: Any, make: Callable[[], Made]) -> Made:
        """Return what was made under a key, or make it now; other threads that want it wait."""
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._made:
                self._made[key] = make()
            made: Made = self._made[key]
            return made

    def _surface(self) -> Float:
        return self._once("surface", lambda: fill(self._ground))

    def _depressions(self) -> Layer:
        surface, level = fill_and_level(self._ground)
        self._once("surface", lambda: surface)
        depths: Layer = (level - self._ground)[1:-1, 1:-1]
        return depths

    def smoothed_elevation(self, radius: float = SMOOTHING) -> Float:
        """Return the surface after a mean filter, with a ring of nodata; kept while somebody holds it."""
        if radius < 1.0:
            return self._surface()
        with self._lock:
            lock = self._locks.setdefault(("smoothed", radius), Lock())
        with lock:
            smooth = self._smooth.get(radius, lambda: None)()
            if smooth is None:
                smooth = self._filtered(radius)
                self._smooth[radius] = ref(smooth)
            return smooth

    def _filtered(self, radius: float) -> Float:
        surface = self._surface()
        rows, columns = surface.shape[0] - 2, surface.shape[1] - 2
        smooth = np.full(surface.shape, np.nan)
        degrees = bool(self._geobox.crs.geographic)
        metres = radius * float(np.sqrt(np.nanmean(self._frame.width * self._frame.height)))
        for top in range(0, rows, _ROWS_AT_A_TIME):
            bottom = min(top + _ROWS_AT_A_TIME, rows)
            inside = smooth[top + 1 : bottom + 1, 1:-1]
            if degrees:
                # Cells are not square, and narrow towards the pole.
                disk = disk_of(self._geobox, (slice(top, bottom), slice(0, columns)), metres)
                total, count = disk_sums(_padded(surface, top, bottom, disk.down, disk.along), disk)
                inside[...] = total / np.maximum(count, 1)
            else:
                reach = cells_within(radius)
                inside[...] = mean_filter(_padded(surface, top, bottom, reach, reach), radius)
        smooth[np.isnan(surface)] = np.nan
        return smooth

    def _bent(self, wanted: Literal["cross_sectional", "longitudinal"], smoothing: float) -> Layer:
        def make() -> Layer:
            return curvature(self.smoothed_elevation(smoothing), self._wider_frame, wanted)

        return self._once((wanted, smoothing), make)

    def _wet(
        self, wanted: WaterIndex, flow: Flow, convergence: float, least_slope: float = LEAST_SLOPE
    ) -> Layer:
        def make() -> Layer:
            area = self.total_catchment_area(flow, convergence)
            return water_index(self._surface(), area, self._frame, wanted, least_slope=least_slope)

        return self._once((wanted, flow, convergence, least_slope), make)

    def _orders(self, ridges: bool) -> NDArray[np.uint8]:
        def make() -> NDArray[np.uint8]:
            orders = strahler_order(steepest_descent(self._surface(), self._frame, upward=ridges))
            orders[np.isnan(self._ground)] = 0
            return orders

        return self._once(("orders", ridges), make)

    def _distance(self, order: int, ridges: bool) -> Layer:
        orders = self._orders(ridges)
        highest = int(orders.max())
        if highest < order:
            what, key = ("ridge", "ridge_order") if ridges else ("stream", "channel_order")
            raise PermagridError(
                f"no {what} in the DEM is of Strahler order {order}, the highest is {highest}: "
                f"set {key} to {highest} or less, or take a larger or finer DEM"
            )
        surface = -self._surface() if ridges else self._surface()
        level = base_level(surface, orders >= order, self._frame)
        np.subtract(surface, level, out=level)
        return level[1:-1, 1:-1].astype("float32")


def refuse_large(geobox: GeoBox, memory: float | None) -> None:
    """Refuse to analyse a grid for which there is not memory enough.

    Parameters
    ----------
    geobox
        The grid.
    memory
        What the analysis may take, all that there is if None [GiB].

    Raises
    ------
    PermagridError
        If it needs more.
    """
    rows, columns = geobox.shape
    refuse_beyond(
        memory,
        rows * columns * BYTES_PER_CELL / GIB,
        f"the terrain analysis of a whole grid of {rows} x {columns} cells",
        "take a coarser or smaller grid, or with analysis: source a coarser or smaller DEM or analysis: grid",
    )


def _padded(surface: Float, top: int, bottom: int, down: int, along: int) -> Float:
    """Return rows of a surface with as many cells around them, NaN beyond the grid."""
    rows, columns = surface.shape[0] - 2, surface.shape[1] - 2
    out = np.full((bottom - top + 2 * down, columns + 2 * along), np.nan)
    first, last = max(top - down, 0), min(bottom + down, rows)
    out[first - top + down : last - top + down, along : along + columns] = surface[first + 1 : last + 1, 1:-1]
    return out


def _refuse_voids(ground: Layer) -> None:
    voids, count = ndimage.label(np.isnan(ground), structure=np.ones((3, 3)))
    # The first is the ring around the grid and all that reaches it.
    if count > 1:
        sizes = np.bincount(voids.ravel())[2:]
        raise PermagridError(
            f"the elevation has {count - 1} voids that land encloses, of up to {sizes.max()} cells, and "
            "water would be lost in them: fill them, or set voids: drain"
        )
