"""How an ensemble joins its learners, in a table: weights, copulas, and how well these fit."""

from collections.abc import Mapping
from typing import Any

from permagrid.report.canvas import words
from permagrid.report.page import Part, number, table

_FAMILIES = {
    "independence": "independence",
    "gaussian": "Gaussian",
    "student_t": "Student's t",
    "clayton": "Clayton",
    "gumbel": "Gumbel",
    "frank": "Frank",
}


def mixture_part(mixture: Mapping[str, Any] | None) -> Part | None:
    """Return the weights of the learners, and the copula of each where they are joined by copulas.

    Parameters
    ----------
    mixture
        As `permagrid.ensemble.Mixture.describe` tells it, each learner with ``goodness_p`` where it is known.

    Examples
    --------
    >>> one = {"name": "forest", "weight": 1.0, "family": "gumbel", "rotation": 180, "parameters": [2.0],
    ...        "tau": 0.5, "correction_kept": 0.2, "goodness_p": 0.3}
    >>> part = mixture_part({"method": "copula", "learners": [one]})
    >>> [cell.text for cell in part.tables[0].rows[0].cells]
    ['forest', '1.00', 'Gumbel, turned by 180°, 2.00', '0.500', '0.200', '0.300']
    """
    if not mixture or not mixture.get("learners"):
        return None
    learners = sorted(mixture["learners"], key=lambda one: -float(one["weight"]))
    left = [words(str(one["name"])) for one in learners if float(one["weight"]) == 0.0]
    said = [
        "Learners are weighed by how probable they make observations that they did not see (out-of-fold "
        "predictions of all rows; EM). The map rests on these weights; in every fold others were learned."
    ]
    if left:
        said.append(f"No weight is left for: {', '.join(left)}. What they tell, the others tell better.")
    if mixture.get("method") != "copula":
        plain = [[words(str(one["name"])), float(one["weight"])] for one in learners]
        return Part("How the learners are joined", tuple(said), tables=(table(["Learner", "Weight"], plain),))
    said.append(
        "A copula says how the rank of an observation goes with that of a prediction; tau is Kendall's. A p "
        "near 0 says that no family fits well, the rows being taken to be independent of each other. Of what "
        "a copula corrects in its learner, as much is kept as does good in folds from which it was not "
        "learned: 0 leaves the prediction in the middle, 1 the copula's own mean."
    )
    named = [(words(str(one["name"])), float(one["weight"]), one) for one in learners]
    rows = [
        [name, weight, _copula(one), float(one["tau"]), one.get("correction_kept"), one.get("goodness_p")]
        for name, weight, one in named
    ]
    heads = ["Learner", "Weight", "Copula, parameters", "tau", "Correction kept", "p of fit"]
    return Part("How the learners are joined", tuple(said), tables=(table(heads, rows),))


def _copula(one: Mapping[str, Any]) -> str:
    turned = f", turned by {one['rotation']}°" if one.get("rotation") else ""
    parameters = "".join(f", {number(float(value))}" for value in one.get("parameters") or [])
    return f"{_FAMILIES.get(str(one['family']), str(one['family']))}{turned}{parameters}"
