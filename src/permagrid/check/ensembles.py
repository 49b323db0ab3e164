"""Ensembles and inventories that cannot be made, told from the study alone."""

from collections.abc import Iterator
from pathlib import Path

from odc.geo.geobox import GeoBox

from permagrid.check.folds import inner_faults
from permagrid.check.named import named
from permagrid.errors import PermagridError, did_you_mean
from permagrid.steps.ensemble import PLAIN
from permagrid.steps.regions import region_of_cells
from permagrid.study import Ensemble, Finding, Inventory, Location, Study
from permagrid.validation import FOLDS

_PRESENCE = "permafrost_presence"


def ensemble_faults(study: Study) -> Iterator[Finding]:
    """Yield what is wrong with the ensemble of a study, keys that would have no effect among it."""
    if study.ensemble is None:
        return
    yield from _joined(study, study.ensemble)
    yield from _idle(study, study.ensemble)
    inner = study.ensemble.inner
    if inner is not None:
        place: Location = ("ensemble", "inner")
        unfit = list(named(FOLDS, place, inner.method, inner.keywords, key="method"))
        yield from unfit
        if not unfit:
            yield from (Finding((*place, key), said) for key, said in inner_faults(inner))


def _joined(study: Study, ensemble: Ensemble) -> Iterator[Finding]:
    labels = [part.label for part in study.learners]
    for index, label in enumerate(ensemble.learners):
        place: Location = ("ensemble", "learners", index)
        if label not in labels:
            yield Finding(
                place, f"{label!r} is not among the learners of this study: {did_you_mean(label, labels)}"
            )
        elif label in ensemble.learners[:index]:
            yield Finding(place, f"{label} stands twice; two of the same say the same")
    if ensemble.label in (*labels, PLAIN):
        whose = "of a learner" if ensemble.label in labels else "of plain averaging"
        yield Finding(("ensemble", "label"), f"{ensemble.label} is the label {whose}; choose another")
    if PLAIN in labels:
        yield Finding(
            ("learners", labels.index(PLAIN), "label"),
            f"{PLAIN} is what stands beside an ensemble of copulas; choose another",
        )


def _idle(study: Study, ensemble: Ensemble) -> Iterator[Finding]:
    if study.target.kind == "class":
        for key in ("method", "families", "intervals"):
            if key in ensemble.model_fields_set and getattr(ensemble, key) is not None:
                yield Finding(
                    ("ensemble", key),
                    "has no effect: classes are joined by the weighted mean of their probabilities",
                )
    elif ensemble.method == "gaussian" and ensemble.families is not None:
        yield Finding(("ensemble", "families"), "has no effect with method gaussian: it is for copula")
    if study.is_tabular:
        for key in ("members", "block"):
            if key in ensemble.model_fields_set and getattr(ensemble, key):
                yield Finding(
                    ("ensemble", key),
                    "has no effect: members are drawn over a map, and this study has no grid; leave it out",
                )
    elif ensemble.members == 0 and ensemble.block is not None:
        yield Finding(("ensemble", "block"), "has no effect without members")
    for index, level in enumerate(ensemble.intervals):
        if level in ensemble.intervals[:index]:
            yield Finding(("ensemble", "intervals", index), f"{level:g} stands twice")


def inventory_faults(study: Study) -> Iterator[Finding]:
    """Yield totals of a study that cannot be told."""
    inventory = study.inventory
    if inventory is None:
        return
    if study.grid is None:
        yield Finding(("inventory",), "is a sum over a map, and the study has no grid")
        return
    if study.ensemble is None or study.ensemble.members == 0:
        yield Finding(
            ("inventory",),
            "needs an ensemble with members, as a total without a range tells nothing; add ensemble",
        )
    if inventory.storage is None and inventory.permafrost is None:
        yield Finding(("inventory",), "asks for no total; name storage or permafrost")
    yield from _storage(study, inventory)
    yield from _permafrost(study, inventory)


def _storage(study: Study, inventory: Inventory) -> Iterator[Finding]:
    storage, target = inventory.storage, study.target
    if storage is None:
        return
    if target.kind != "value" or target.unit != "%":
        yield Finding(
            ("inventory", "storage"),
            f"needs a target in % of volume; {target.variable} is a {target.kind} in {target.unit!r}",
        )
    names = [part.name for part in study.covariates if part.kind == "continuous"]
    if storage.presence is not None and storage.presence not in names:
        yield Finding(
            ("inventory", "storage", "presence"),
            f"{storage.presence!r} is no covariate of fractions: {did_you_mean(storage.presence, names)}",
        )


def _permafrost(study: Study, inventory: Inventory) -> Iterator[Finding]:
    permafrost, target = inventory.permafrost, study.target
    if permafrost is None:
        return
    if target.kind == "value" and target.unit != "degC":
        yield Finding(
            ("inventory", "permafrost"),
            f"needs a temperature in degC or {_PRESENCE} as target; {target.variable} is in {target.unit!r}",
        )
    if target.kind == "class":
        if target.variable != _PRESENCE:
            yield Finding(("inventory", "permafrost"), f"needs {_PRESENCE} as target, not {target.variable}")
        if "threshold" in permafrost.model_fields_set:
            yield Finding(
                ("inventory", "permafrost", "threshold"), "has no effect: it is for a target that is a value"
            )


def region_faults(study: Study, root: Path, geobox: GeoBox) -> Iterator[Finding]:
    """Yield what is wrong with the polygons of an inventory, such as one outside the grid."""
    regions = study.inventory.regions if study.inventory else None
    if regions is None or not (root / regions.path).is_file():
        return
    try:
        region_of_cells(geobox, study, root)
    except PermagridError as error:
        yield Finding(("inventory", "regions"), str(error).removeprefix("regions: "))
