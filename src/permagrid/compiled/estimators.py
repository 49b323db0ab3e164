"""From a fitted estimator, with all that is wrapped about it, to its compiled form, if it has one."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.utils.validation import check_is_fitted

from permagrid.compiled.additive import CompiledAdditive
from permagrid.compiled.columns import NUMBER, PLACE, Recipe
from permagrid.compiled.combined import Compiled, CompiledMean
from permagrid.compiled.compiling import trees_and_sets
from permagrid.compiled.encoded import EncodedTrees
from permagrid.compiled.nodes import ENDS, Float
from permagrid.compiled.process import CompiledWithProcess, Use, process_of
from permagrid.compiled.quantiles import CompiledQuantiles
from permagrid.compiled.support_vectors import CompiledSupportVectors, Machine

Task = Literal["value", "class"]
_LEARNERS = "permagrid.learners."
_AS_IT_IS = (1.0, 0.0)


def compile_estimator(estimator: Any, task: Task) -> Compiled | None:
    """Return the compiled form of a fitted estimator; None if it has none and must predict by itself.

    Compiled are trees (see `compile_trees`), support vectors with a radial kernel, and additive models: as
    permagrid's learners build them, with their classes encoded, columns and target scaled, and scores turned
    into probabilities; forests of quantiles; process models, and those with a learner, if this is; means of
    several, if all of these are; of scikit-learn also `SVR` by itself, behind `StandardScaler` and within
    `TransformedTargetRegressor`.

    Parameters
    ----------
    estimator
        What is fitted.
    task
        ``value`` for what its `predict` says, ``class`` for its `predict_proba`.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> rows = np.random.default_rng(0).normal(size=(80, 3))
    >>> machine = make_pipeline(StandardScaler(), SVR()).fit(rows, np.sin(rows[:, 0]))
    >>> compiled = compile_estimator(machine, "value")
    >>> np.allclose(compiled.predict(rows), machine.predict(rows), rtol=0, atol=1e-12)
    True
    """
    fits = is_classifier(estimator) if task == "class" else is_regressor(estimator)
    if not fits:
        return None
    check_is_fitted(estimator)
    raw = getattr(estimator, "n_features_in_", None)
    if raw is None:
        return None
    if _ours(estimator, "AverageRegressor", "AverageClassifier"):
        return _mean(estimator, task)
    return _by_process(estimator, task) or _compiled(estimator, Recipe.of(int(raw)), _AS_IT_IS)


def _by_process(estimator: Any, task: Task) -> Compiled | None:
    """Return the form of a process model, or of one with a learner; None for others."""
    if _ours(estimator, "ProcessRegressor", "ProcessClassifier"):
        return process_of(estimator)
    if not _ours(estimator, "ResidualRegressor", "FeatureRegressor", "FeatureClassifier"):
        return None
    process, learner = process_of(estimator.process_), compile_estimator(estimator.learner_, task)
    if process is None or learner is None:
        return None
    use: Use = "residual" if _ours(estimator, "ResidualRegressor") else "feature"
    return CompiledWithProcess(process, learner, _places(estimator.columns), use)


def _mean(estimator: Any, task: Task) -> Compiled | None:
    members = [compile_estimator(member, task) for member in estimator.members_]
    found = [member for member in members if member is not None]
    if len(found) < len(members):
        return None
    columns = tuple(_places(each) for each in estimator.columns)
    return CompiledMean(int(estimator.n_features_in_), tuple(found), columns)


def _places(columns: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if columns is None else tuple(map(int, columns))


def _compiled(estimator: Any, recipe: Recipe, line: tuple[float, float]) -> Compiled | None:
    """Return the form of an estimator of made columns, whose predictions are put on a line."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            made = _stepped(recipe, step)
            if made is None:
                return None
            recipe = made
        return _compiled(estimator.steps[-1][1], recipe, line)
    if line == _AS_IT_IS and (inner := _within(estimator)) is not None:
        return _compiled(inner[0], recipe, inner[1])
    if isinstance(estimator, SVR):
        return _support([estimator], recipe, [line], is_class=False)
    return _last(estimator, recipe) if line == _AS_IT_IS else None


def _last(estimator: Any, recipe: Recipe) -> Compiled | None:
    """Return the form of what predicts by itself."""
    if _ours(estimator, "PlattScaled"):
        return _support(estimator.machines_, recipe, estimator.sigmoids_, is_class=True)
    if _ours(estimator, "AdditiveRegressor"):
        return CompiledAdditive.of(recipe, [estimator.sum_], is_class=False)
    if _ours(estimator, "AdditiveClassifier"):
        return CompiledAdditive.of(recipe, estimator.sums_, is_class=True)
    if _ours(estimator, "QuantileForest"):
        return CompiledQuantiles.of(recipe, estimator) if _unscaled(recipe) else None
    return _trees(estimator, recipe)


def _ours(estimator: Any, *names: str) -> bool:
    """Whether an estimator is a learner's own; that room is not to be imported from this one."""
    kind = type(estimator)
    return kind.__name__ in names and kind.__module__.startswith(_LEARNERS)


def _stepped(recipe: Recipe, step: Any) -> Recipe | None:
    if step is None or step == "passthrough":
        return recipe
    if _ours(step, "ClassEncoder"):
        return recipe.encoded(step.categories_, one_hot=step.encoding == "one_hot")
    if type(step) is StandardScaler:
        none, many = not step.with_mean or step.mean_ is None, len(recipe.columns)
        centre: Float = np.zeros(many) if none else np.asarray(step.mean_, dtype=float)
        spread: Float = np.ones(many) if step.scale_ is None else np.asarray(step.scale_, dtype=float)
        return recipe.scaled(centre, spread)
    return None


def _within(estimator: Any) -> tuple[Any, tuple[float, float]] | None:
    """Return what predicts a scaled target, and the line back from it."""
    if _ours(estimator, "ScaledTarget"):
        return estimator.regressor_, (estimator.spread_, estimator.centre_)
    if isinstance(estimator, TransformedTargetRegressor):
        scaler = estimator.transformer_
        plain = type(scaler) is StandardScaler and scaler.with_mean and scaler.with_std
        if plain and len(scaler.mean_) == 1:
            return estimator.regressor_, (float(scaler.scale_[0]), float(scaler.mean_[0]))
    return None


def _support(
    machines: Sequence[Any], recipe: Recipe, lines: Sequence[tuple[float, float]], *, is_class: bool
) -> Compiled | None:
    kinds = SVC if is_class else SVR
    for machine in machines:
        if not isinstance(machine, kinds) or machine.kernel != "rbf" or issparse(machine.support_vectors_):
            return None
    widths = {float(machine._gamma) for machine in machines}
    if len(widths) > 1:
        return None
    found = [
        Machine(
            machine.support_vectors_,
            machine.dual_coef_[0],
            float(machine.intercept_[0]),
            float(slope),
            float(shift),
        )
        for machine, (slope, shift) in zip(machines, lines, strict=True)
    ]
    return CompiledSupportVectors.of(recipe, found, widths.pop(), is_class=is_class)


def _trees(estimator: Any, recipe: Recipe) -> Compiled | None:
    found = trees_and_sets(estimator)
    if found is None:
        return None
    trees, sets = found
    if sets:
        # Places in sets are not to be asked by thresholds as well.
        split = np.diff(trees.forest.first)[: len(recipe.columns)] > ENDS
        if any(column.kind == PLACE and asked for column, asked in zip(recipe.columns, split, strict=True)):
            return None
        made = recipe.with_sets(sets)
        return None if made is None or not _unscaled(made) else EncodedTrees(made, trees)
    if recipe == Recipe.of(recipe.raw):
        return trees
    return EncodedTrees(recipe, trees) if _unscaled(recipe) else None


def _unscaled(recipe: Recipe) -> bool:
    """Whether trees that compare in single precision find numbers as they are."""
    return all(column.kind != NUMBER or column.spread == 1.0 for column in recipe.columns)
