"""Placeholders in paths of covariates: which file holds which month or day."""

from datetime import date

_MONTH = ("{month}", "{m}")


def has_month(path: str) -> bool:
    """Return whether a path has a place for a month.

    Examples
    --------
    >>> has_month("tmean{m}.bil"), has_month("tavg_{month}.tif"), has_month("tavg_{year}.nc")
    (True, True, False)
    """
    return any(key in path for key in _MONTH)


def of_month(path: str, month: int) -> str:
    """Return a path with the month filled in: ``{month}`` as 01 to 12, ``{m}`` as 1 to 12.

    Examples
    --------
    >>> of_month("tmean{m}.bil", 3), of_month("wc2.1_10m_tavg_{month}.tif", 3)
    ('tmean3.bil', 'wc2.1_10m_tavg_03.tif')
    """
    return path.replace("{month}", f"{month:02d}").replace("{m}", str(month))


def has_day(path: str) -> bool:
    """Return whether a path has a place for a day.

    Examples
    --------
    >>> has_day("snow_{date}.tif"), has_day("snow_{year}.nc")
    (True, False)
    """
    return "{date}" in path or "{day}" in path


def of_day(path: str, when: date) -> str:
    """Return a path with the day filled in.

    ``{date}`` stands for 20010315, ``{year}`` for 2001. ``{day}`` is the day of the month (15) where the
    path holds the month as well, and the day of the year (074) where it does not.

    Examples
    --------
    >>> of_day("snow_{date}.tif", date(2001, 3, 15)), of_day("A{year}{day}.tif", date(2001, 3, 15))
    ('snow_20010315.tif', 'A2001074.tif')
    >>> of_day("{year}/{month}/{day}.tif", date(2001, 3, 5))
    '2001/03/05.tif'
    """
    of_year = f"{when.timetuple().tm_yday:03d}"
    day = f"{when.day:02d}" if has_month(path) else of_year
    filled = path.replace("{date}", f"{when:%Y%m%d}").replace("{day}", day)
    return of_month(filled.replace("{year}", f"{when.year:04d}"), when.month)
