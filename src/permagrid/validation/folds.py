"""Folds: how sites are split into training and test sets, at random, by site, by block."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Transformer
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold

from permagrid.errors import PermagridError
from permagrid.grid import chord
from permagrid.registry import Table

Index = NDArray[np.int_]


@dataclass(frozen=True, eq=False)
class Folds:
    """Train and test row numbers; iterable, so that it is a scikit-learn ``cv``.

    Raises
    ------
    PermagridError
        If a row, or for spatial folds a group, lies in the training and the test set of one fold.
    """

    name: str
    """``random``, ``site``, ``block_500km``, ..."""
    method: str
    """How the folds were made, in one sentence."""
    pairs: tuple[tuple[Index, Index], ...]
    """Row numbers of train and test set of each fold."""
    groups: Index = field(repr=False)
    """For each row the unit that is never split, and that the bootstrap draws."""
    spatial: bool = True
    """Whether test sites are kept apart from training sites."""

    def __post_init__(self) -> None:
        units = self.groups if self.spatial else np.arange(len(self.groups))
        for number, (train, test) in enumerate(self.pairs):
            if np.intersect1d(units[train], units[test]).size:
                what = "group" if self.spatial else "row"
                raise PermagridError(f"folds: {self.name} trains and tests on one {what} in fold {number}")

    def __iter__(self) -> Iterator[tuple[Index, Index]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def split(
        self, X: object = None, y: object = None, groups: object = None
    ) -> Iterator[tuple[Index, Index]]:
        """Yield train and test row numbers; the arguments are ignored."""
        del X, y, groups
        return iter(self.pairs)

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of folds; the arguments are ignored."""
        del X, y, groups
        return len(self.pairs)


FoldMethod = Callable[..., Folds]
FOLDS: Table[FoldMethod] = Table("folds")
"""Fold methods ``(sites, *, seed, ...) -> Folds``; `sites` has longitude, latitude and site_group."""


@FOLDS.register
def random(sites: pd.DataFrame, *, n_folds: int = 10, seed: int = 0, stratified: bool = False) -> Folds:
    """Return folds of rows drawn at random.

    Rows of one site, and sites beside each other, fall into different folds: the score says how well
    gaps between known rows are filled, and is too good for a map. It never stands alone.

    Parameters
    ----------
    sites
        One row per site and epoch, with ``site_group``.
    n_folds
        Number of folds.
    seed
        Seed of the draw.
    stratified
        Whether the classes in ``value`` have equal shares in all folds.

    Raises
    ------
    PermagridError
        If there are fewer rows than folds, or fewer than two folds.
    """
    _enough(len(sites), n_folds, "rows")
    if not stratified:
        pairs = KFold(n_folds, shuffle=True, random_state=seed).split(np.zeros(len(sites)))
    else:
        _enough(int(sites["value"].value_counts().min()), n_folds, "rows of the rarest class")
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        pairs = splitter.split(np.zeros(len(sites)), sites["value"].to_numpy())
    groups = pd.factorize(sites["site_group"])[0]
    method = f"{n_folds} folds of rows drawn at random"
    return Folds("random", method, tuple(pairs), groups, spatial=False)


@FOLDS.register
def site(sites: pd.DataFrame, *, n_folds: int = 10, seed: int = 0) -> Folds:
    """Return folds of whole sites: all rows of a site, in all epochs, are held out together.

    Parameters and errors as `random`.
    """
    groups = pd.factorize(sites["site_group"])[0]
    return Folds("site", f"{n_folds} folds of whole sites", _grouped(groups, n_folds, seed, "sites"), groups)


@FOLDS.register
def block(sites: pd.DataFrame, *, size: float, n_folds: int | None = None, seed: int = 0) -> Folds:
    """Return folds of square blocks of equal area (Roberts et al. 2017, doi:10.1111/ecog.02881).

    Parameters
    ----------
    sites
        One row per site and epoch, with longitude, latitude and ``site_group``.
    size
        Side of a block [m].
    n_folds
        Number of folds into which the blocks are dealt; each block is a fold of its own if left out.
    seed
        Seed of the deal.

    Raises
    ------
    PermagridError
        If there are fewer blocks than folds, or only one block.
    """
    groups = blocks_of(sites["longitude"].to_numpy(float), sites["latitude"].to_numpy(float), size)
    groups = _whole_sites(groups, pd.factorize(sites["site_group"])[0])
    n_blocks = len(np.unique(groups))
    name = f"block_{size / 1000:g}km"
    _enough(n_blocks, 2 if n_folds is None else n_folds, f"blocks of {size / 1000:g} km")
    if n_folds is None:
        pairs = tuple(LeaveOneGroupOut().split(np.zeros(len(groups)), groups=groups))
        return Folds(name, f"each of {n_blocks} blocks of {size / 1000:g} km held out in turn", pairs, groups)
    method = f"{n_blocks} blocks of {size / 1000:g} km dealt into {n_folds} folds"
    return Folds(name, method, _grouped(groups, n_folds, seed, "blocks"), groups)


def blocks_of(longitude: NDArray[np.float64], latitude: NDArray[np.float64], size: float) -> Index:
    """Return the number of the equal-area block of `size` metres in which each point lies.

    Blocks are squares in a Lambert azimuthal equal-area projection centred on the points, so they
    have the same area everywhere and no seam at the antimeridian or the pole. The centre lies in the
    middle of a block: points closer together than half a block are not cut apart.

    Examples
    --------
    >>> blocks_of(np.array([179.9, -179.9, 100.0]), np.array([68.0, 68.0, 60.0]), 500e3).tolist()
    [1, 1, 0]
    """
    if not 0 < size < np.inf:
        raise PermagridError(f"folds: block size must be above 0 m, found {size}")
    middle = chord(longitude, latitude).mean(axis=0)
    middle = middle / max(float(np.linalg.norm(middle)), 1e-12)
    centre_latitude = float(np.degrees(np.arcsin(np.clip(middle[2], -1, 1))))
    centre_longitude = float(np.degrees(np.arctan2(middle[1], middle[0])))
    equal_area = f"+proj=laea +lat_0={centre_latitude:.1f} +lon_0={centre_longitude:.1f} +datum=WGS84"
    x, y = Transformer.from_crs("EPSG:4326", equal_area, always_xy=True).transform(longitude, latitude)
    cells = np.stack([np.floor(np.asarray(x) / size + 0.5), np.floor(np.asarray(y) / size + 0.5)], axis=1)
    return np.asarray(np.unique(cells, axis=0, return_inverse=True)[1]).ravel()


def _whole_sites(groups: Index, site_groups: Index) -> Index:
    """Return blocks such that a site which straddles an edge lies in the block of its first row."""
    first = pd.Series(groups).groupby(site_groups).transform("first")
    return np.asarray(pd.factorize(first)[0])


def _grouped(groups: Index, n_folds: int, seed: int, what: str) -> tuple[tuple[Index, Index], ...]:
    _enough(len(np.unique(groups)), n_folds, what)
    splitter = GroupKFold(n_folds, shuffle=True, random_state=seed)
    return tuple(splitter.split(np.zeros(len(groups)), groups=groups))


def _enough(found: int, needed: int, what: str) -> None:
    if needed < 2:
        raise PermagridError(f"folds: n_folds must be 2 or more, found {needed}")
    if found < needed:
        raise PermagridError(
            f"folds: {found} {what} cannot make {needed} folds; use fewer folds or larger data"
        )
