"""Quality tests against what else is known of a site: its climate, and the words its source gave it."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np

from permagrid.errors import PermagridError
from permagrid.sites.quality.flags import (
    FAIL,
    NOT_EVALUATED,
    QUALITY,
    SUSPECT,
    Flags,
    Verdicts,
    numbers,
    wording,
)

DOUBTFUL = (
    "infrastructure",
    "urban",
    "water",
    "low_coordinate_quality",
    "landscape_mismatch",
    "early_season",
    "burned",
    "flooded",
)
"""Words of ``site_flags`` that make a row suspect by default."""


@QUALITY.register
def climate_consistency(
    sites: gpd.GeoDataFrame,
    *,
    air_temperature: str = "mean_annual_air_temperature",
    max_offset: float = 12.0,
    warm_limit: float = 4.0,
    cold_limit: float = -8.0,
    fail: bool = False,
) -> Flags:
    """Flag observations that do not suit the mean annual air temperature at their site.

    Flagged are ground temperatures further than `max_offset` from the air temperature, permafrost (or its
    active layer) where the air is warmer than `warm_limit`, and its absence where the air is colder than
    `cold_limit`. Rows are suspect, not failed, unless `fail`: labels filtered by climate make a
    predictor of climate look better than it is (label leakage), which an audit must be able to see.

    Parameters
    ----------
    sites
        Site table with the air temperature [degC] at the sites in the column `air_temperature`.
    air_temperature
        Name of that column; rows without a value in it are not evaluated.
    max_offset
        Greatest plausible difference of ground and air temperature [degC].
    warm_limit, cold_limit
        Air temperatures [degC] above which permafrost, and below which its absence, is implausible.
    fail
        Whether such rows fail.

    Raises
    ------
    PermagridError
        If `cold_limit` is not below `warm_limit`, or `max_offset` is not positive.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"variable": ["ground_temperature"], "value": [12.0],
    ...                          "mean_annual_air_temperature": [-9.0]})
    >>> climate_consistency(rows).reasons.tolist()
    ['ground at 12.0 degC, air at -9.0 degC']
    """
    if not cold_limit < warm_limit:
        raise PermagridError(
            f"climate_consistency: cold_limit must lie below warm_limit; found {cold_limit} and {warm_limit}"
        )
    if not max_offset > 0.0:
        raise PermagridError(f"climate_consistency: max_offset must be above 0 degC; found {max_offset}")
    variable = sites["variable"].astype(str).to_numpy()
    value, air = numbers(sites, "value"), numbers(sites, air_temperature)
    ground = np.isin(variable, ["ground_temperature", "soil_temperature"])
    label = variable == "permafrost_presence"
    layer = variable == "active_layer_thickness"
    code = FAIL if fail else SUSPECT
    found = Verdicts(sites)
    found.mark(np.isnan(air) | np.isnan(value) | ~(ground | label | layer), NOT_EVALUATED, "")
    offset = ground & (np.abs(value - air) > max_offset)
    found.mark(offset, code, wording("ground at {:.1f} degC, air at {:.1f} degC", value, air, where=offset))
    warm = ((label & (value >= 0.5)) | (layer & ~np.isnan(value))) & (air > warm_limit)
    found.mark(warm, code, wording("permafrost where the air has {:.1f} degC", air, where=warm))
    cold = label & (value < 0.5) & (air < cold_limit)
    found.mark(cold, code, wording("no permafrost where the air has {:.1f} degC", air, where=cold))
    return found.flags()


@QUALITY.register
def site_flags(
    sites: gpd.GeoDataFrame,
    *,
    suspect: Sequence[str] = DOUBTFUL,
    fail: Sequence[str] = (),
) -> Flags:
    """Flag rows by the words in their column ``site_flags``, such as ``infrastructure`` or ``water``.

    Parameters
    ----------
    sites
        Site table.
    suspect
        Words that make a row suspect; by default `DOUBTFUL`. A reader writes ``possible_water`` where
        the source was unsure.
    fail
        Words that make a row fail; a word in both lists fails.

    Raises
    ------
    PermagridError
        If `suspect` or `fail` is a single text and not a list.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"site_flags": ["coast", "mountain,urban", ""]})
    >>> site_flags(rows, fail=["coast"]).codes.tolist()
    [4, 3, 1]
    """
    for name, words in (("suspect", suspect), ("fail", fail)):
        if isinstance(words, str):
            raise PermagridError(f"site_flags: {name} must be a list of words; found the text {words!r}")
    found = Verdicts(sites)
    texts = sites["site_flags"].astype(str)
    given = texts.map({text: frozenset(text.replace(" ", "").split(",")) for text in set(texts)})
    for code, listed in ((FAIL, fail), (SUSPECT, suspect)):
        shared = given.map(lambda words, listed=frozenset(listed): ", ".join(sorted(words & listed)))
        found.mark((shared != "").to_numpy(dtype=bool), code, shared.to_numpy(dtype=object))
    return found.flags()
