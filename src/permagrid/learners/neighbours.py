"""The learner of nearest neighbours: what was observed where the covariates were most alike."""

from typing import Any, Literal

from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from permagrid.learners.chain import scaled
from permagrid.learners.ranges import at_least
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.traits import traits


@LEARNERS.register
@traits(space={"n_neighbors": (3, 5, 10, 20), "by_distance": (False, True)})
def nearest_neighbours(
    setting: Setting,
    *,
    n_neighbors: int = 5,
    by_distance: bool = False,
    p: Literal[1, 2] = 2,
) -> Any:
    """Return the mean, or the shares of classes, of the nearest training rows (Cover and Hart 1967).

    Distances are those of covariates of standard deviation 1; doi:10.1109/TIT.1967.1053964. Of training rows
    at the same distance, which are taken depends on their order.

    Parameters
    ----------
    setting
        What it is built for.
    n_neighbors
        Number of neighbours; all training rows where there are fewer.
    by_distance
        Whether neighbours count by the inverse of their distance, instead of alike.
    p
        1 adds distances along the covariates, 2 takes the straight line.

    Raises
    ------
    PermagridError
        If `n_neighbors` is below 1.
    """
    at_least("nearest_neighbours", 1, n_neighbors=n_neighbors)
    model = RowWiseNeighboursRegressor if setting.task == "value" else RowWiseNeighboursClassifier
    # Brute force would find distances by a matrix product, whose rounding depends on the other rows.
    weights = "distance" if by_distance else "uniform"
    return scaled(model(n_neighbors, weights=weights, p=p, algorithm="kd_tree"))


class RowWiseNeighboursRegressor(KNeighborsRegressor):  # type: ignore[misc]
    """Nearest neighbours, of which there may be fewer than asked for."""

    def kneighbors(self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        """Return the neighbours, all training rows at most."""
        wanted = min(n_neighbors or self.n_neighbors, self.n_samples_fit_)
        return super().kneighbors(X, wanted, return_distance)


class RowWiseNeighboursClassifier(KNeighborsClassifier):  # type: ignore[misc]
    """Nearest neighbours, of which there may be fewer than asked for."""

    def kneighbors(self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        """Return the neighbours, all training rows at most."""
        wanted = min(n_neighbors or self.n_neighbors, self.n_samples_fit_)
        return super().kneighbors(X, wanted, return_distance)
