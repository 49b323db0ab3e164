"""Covariates that cannot be made, found by setting each up on the study's grid without computing a value."""

from collections.abc import Collection, Iterator
from pathlib import Path

from odc.geo.geobox import GeoBox

from permagrid.covariates import build, varies
from permagrid.errors import PermagridError
from permagrid.steps.inputs import covariates_of
from permagrid.study import Finding, Study


def build_faults(study: Study, root: Path, geobox: GeoBox, *, told: Collection[int]) -> Iterator[Finding]:
    """Yield what a run would stop at when it sets up covariates: radii, units of inputs, years, orders.

    Parameters
    ----------
    study, root
        A study whose covariates have sound names, keywords and files, and where its paths start.
    geobox
        Its grid.
    told
        Numbers of covariates of which a fault is known already.
    """
    covariates = covariates_of(study)
    broken = {study.covariates[index].name for index in told}
    for index, part in enumerate(study.covariates):
        if part.name in broken or broken & set(covariates[part.name].inputs):
            # What is made of something broken says no more than that.
            broken.add(part.name)
            continue
        ends = dict.fromkeys([study.epochs[0], study.epochs[-1]])
        try:
            for epoch in ends if varies(part.name, covariates) else [None]:
                build(part.name, covariates, geobox, epoch=epoch, root=root)
        except PermagridError as error:
            broken.add(part.name)
            said = str(error).removeprefix(f"covariate {part.name}: ")
            yield Finding(("covariates", index), said)
