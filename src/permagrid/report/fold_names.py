"""Fold schemes as people read them: their names, their order, and a colour for each."""

import re

FOLD_COLOURS = ("#8d99a3", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7b3f00")
"""Random folds grey, then colours of Okabe and Ito (2008) that colour-blind readers tell apart."""
_GREYS = (FOLD_COLOURS[0], "#5b6670", "#b4bcc3")

_ROUNDS = re.compile(r"_(\d+)x(\d*)$")
_KNNDM = {"feature": "in the space of the covariates", "kmeans": "by k-means"}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)km")
_RESIDUAL = "as large as the range of the residuals"
_KINDS = ("random", "holdout", "epoch", "site", "knndm", "region", "buffered", "block", "hexagon")


def is_random(folds: str) -> bool:
    """Return whether a scheme splits rows without regard to their sites.

    Examples
    --------
    >>> is_random("random_40x5"), is_random("site")
    (True, False)
    """
    return folds.startswith(("random", "holdout"))


def fold_order(folds: str) -> tuple[int, float, str]:
    """Return a key that sorts fold schemes from the mildest to the most severe.

    Random folds come first, then folds by epoch and by site, then those matched to the map and by region,
    then buffers and spatial blocks by their size.

    Examples
    --------
    >>> sorted(["block_500km", "block_1000km", "site", "random", "knndm"], key=fold_order)
    ['random', 'site', 'knndm', 'block_500km', 'block_1000km']
    """
    place = next((index for index, kind in enumerate(_KINDS) if folds.startswith(kind)), 5)
    size = _SIZE.search(folds)
    # Blocks and hexagons of one size are as severe as each other.
    return min(place, 7), float(size[1]) if size else 0.0, folds


def fold_label(folds: str) -> str:
    """Return the name of a fold scheme as people read it.

    Examples
    --------
    >>> fold_label("block_500km"), fold_label("site"), fold_label("random"), fold_label("region_country")
    ('500 km blocks', 'by site', 'random', 'by country')
    >>> fold_label("random_40x5"), fold_label("hexagon_300km_buffer_50km")
    ('random, 40 times 5', '300 km hexagons, buffer 50 km')
    >>> fold_label("block_residual")
    'blocks as large as the range of the residuals'
    """
    rounds = _ROUNDS.search(folds)
    name = folds[: rounds.start()] if rounds else folds
    more = "" if rounds is None else f", {rounds[1]} times {rounds[2]}".rstrip()
    spatial = re.match(r"(block|hexagon)_(?:([\d.]+)km|residual)(?:_buffer_([\d.]+)km)?$", name)
    if spatial:
        buffer = f", buffer {spatial[3]} km" if spatial[3] else ""
        size = f"{spatial[2]} km {spatial[1]}s" if spatial[2] else f"{spatial[1]}s {_RESIDUAL}"
        return f"{size}{buffer}{more}"
    if name.startswith("buffered_"):
        return f"site, buffer {name.removeprefix('buffered_').replace('km', ' km')}{more}"
    if name.startswith("knndm"):
        return " ".join(["kNNDM", *(_KNNDM.get(word, word) for word in name.split("_")[1:])]) + more
    if name.startswith("region_"):
        return f"by {name.removeprefix('region_').replace('_', ' ')}{more}"
    if name in ("site", "epoch", "region"):
        return f"by {name}{more}"
    return f"{name.replace('_', ' ')}{more}"


def fold_title(folds: str) -> str:
    """Return the name of a fold scheme as a heading.

    Examples
    --------
    >>> fold_title("random"), fold_title("site"), fold_title("block_500km"), fold_title("knndm")
    ('Random folds', 'Folds by site', 'Folds by 500 km blocks', 'kNNDM folds')
    """
    label = fold_label(folds)
    if folds.startswith("holdout"):
        return label.capitalize()
    if folds.startswith("random"):
        return f"Random folds{label.removeprefix('random')}"
    if folds.startswith("knndm"):
        return label.replace("kNNDM", "kNNDM folds", 1)
    return f"Folds {label}" if label.startswith("by ") else f"Folds by {label}"


def fold_phrase(folds: str) -> str:
    """Return the name of a fold scheme within a sentence.

    Examples
    --------
    >>> fold_phrase("random"), fold_phrase("block_500km"), fold_phrase("knndm")
    ('random folds', 'folds by 500 km blocks', 'kNNDM folds')
    """
    title = fold_title(folds)
    return title if title.startswith("kNNDM") else title[:1].lower() + title[1:]


def fold_colours(schemes: list[str]) -> dict[str, str]:
    """Return a colour for each fold scheme; random folds are always grey.

    Examples
    --------
    >>> fold_colours(["site", "random"])
    {'random': '#8d99a3', 'site': '#0072b2'}
    """
    ordered = sorted(set(schemes), key=fold_order)
    at_random = [folds for folds in ordered if is_random(folds)]
    others = [folds for folds in ordered if not is_random(folds)]
    greys = {folds: _GREYS[i % len(_GREYS)] for i, folds in enumerate(at_random)}
    return greys | {folds: FOLD_COLOURS[1 + i % (len(FOLD_COLOURS) - 1)] for i, folds in enumerate(others)}


def fewer_folds(schemes: list[str], quote: str | None, most: int) -> list[str]:
    """Return at most `most` of some fold schemes, from the mildest to the most severe.

    Kept are the one to quote and the random ones that a reader knows best, then folds by site, then the most
    severe.

    Parameters
    ----------
    schemes
        Names of fold schemes.
    quote
        The one to quote, where there is one.
    most
        How many are wanted, at least 2.

    Examples
    --------
    >>> every = ["random", "random_40x5", "site", "knndm", "block_200km", "block_500km"]
    >>> fewer_folds(every, "knndm", 4)
    ['random', 'site', 'knndm', 'block_500km']
    """
    ordered = sorted(set(schemes), key=fold_order)
    if len(ordered) <= most:
        return ordered
    wanted = [folds for folds in ordered if folds == quote]
    wanted += [folds for folds in ordered if is_random(folds)][:1]
    wanted += [folds for folds in ordered if folds == "site"]
    wanted += [folds for folds in reversed(ordered) if not is_random(folds)]
    return sorted(list(dict.fromkeys(wanted))[:most], key=fold_order)
