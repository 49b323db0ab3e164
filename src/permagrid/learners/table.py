"""The table of learners: each name builds a scikit-learn estimator for values or for classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from permagrid.errors import PermagridError, did_you_mean
from permagrid.learners.classes import ClassEncoding, encoding_for, with_classes
from permagrid.learners.setting import LEARNERS, Setting, Task
from permagrid.learners.traits import traits_of


def keywords_for(keywords: Mapping[str, Any], covariates: Sequence[str]) -> dict[str, Any]:
    """Return keywords of a learner that sees some of its covariates only, without directions of the others.

    Parameters
    ----------
    keywords
        Keywords of a learner, such as ``monotone``, covariate -> direction.
    covariates
        What it sees.

    Examples
    --------
    >>> keywords_for({"max_depth": 3, "monotone": {"air": 1, "snow": 1}}, ["air"])
    {'max_depth': 3, 'monotone': {'air': 1}}
    """
    kept = dict(keywords)
    if isinstance(kept.get("monotone"), Mapping):
        kept["monotone"] = {name: way for name, way in kept["monotone"].items() if name in covariates}
    return kept


def build_learner(
    name: str,
    task: Task,
    seed: int,
    keywords: Mapping[str, Any],
    *,
    covariates: Sequence[str] = (),
    classes: Sequence[str] = (),
    encoding: ClassEncoding | None = None,
) -> Any:
    """Return the learner called `name`, not yet fitted.

    Parameters
    ----------
    name
        Name in the table.
    task
        ``value`` or ``class``.
    seed
        Seed of the learner.
    keywords
        Its keywords.
    covariates
        Names of its columns.
    classes
        Those that hold class codes. What is learned of them is learned within the estimator, so that rows
        held out have no part in it.
    encoding
        How they enter it: ``one_hot``, a column of 0 and 1 for each class; ``native``, as categories of the
        learner's own, which any estimator with scikit-learn's parameter ``categorical_features`` has;
        ``codes``, as numbers, for classes in order only. Native where possible, else one-hot, if None.

    Raises
    ------
    PermagridError
        If the table has no such learner, it is not for this task, a keyword is unknown or out of its range,
        or it has no way of its own for classes and that is wanted.

    Examples
    --------
    >>> build_learner("random_forest", "value", 0, {"n_estimators": 10}).n_estimators
    10
    >>> list(build_learner("random_forest", "value", 0, {}, covariates=["ndvi", "soil"], classes=["soil"])
    ...      .named_steps)
    ['classes', 'learner']
    """
    learner, known = LEARNERS[name], traits_of(name)
    unknown = [key for key in keywords if key not in LEARNERS.keywords(name)]
    if unknown:
        hint = did_you_mean(unknown[0], LEARNERS.keywords(name))
        raise PermagridError(f"{name}: unknown keyword {unknown[0]!r}: {hint}")
    if task not in known.tasks:
        other = "values" if task == "class" else "classes"
        raise PermagridError(f"{name} is for {other}, and the target is a {task}")
    kept = () if encoding == "codes" else tuple(classes)
    if known.by_name and kept and encoding == "one_hot":
        raise PermagridError(f"{name} has its own way for classes; allowed for classes: native, codes")
    estimator = learner(Setting(task, seed, tuple(covariates), kept), **keywords)
    if known.by_name:
        return estimator
    return with_classes(estimator, covariates, kept, encoding_for(estimator, name, encoding))
