"""A dry run: fits are counted before they are made, what is kept counts as done, no product is written."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from command_line import call, made_up_study, write_data, write_study
from permagrid.errors import StudyError
from permagrid.plan import Plan, plan, show_plan
from permagrid.run import run
from permagrid.rundir import FILES
from permagrid.steps.cost import ALL_ROWS, IMPORTANCE, RESIDUALS, Line
from permagrid.study import parse_study
from permagrid.validation import Candidate, predict_all, site
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import Objective
from permagrid.validation.ranked import ranking_selection
from permagrid.validation.selection import chained, combination_selection, forward_selection
from permagrid.validation.timing import fold_cost
from permagrid.validation.trials import Judge
from permagrid.validation.tuning import bayesian_search, grid_search, random_search
from small_study import EPOCHS, small_study

PRODUCTS = set(FILES) - {"maps", "work"}
OWN = (ALL_ROWS, IMPORTANCE, RESIDUALS)


def searching_study() -> dict:
    """Return the made-up study with a learner that searches, one that does not, and a group."""
    study = made_up_study()
    study["learners"] = [
        {"name": "ridge", "label": "searching", "search": {"space": {"alpha": [0.1, 1.0, 10.0]}}},
        {"name": "ridge", "label": "plain"},
    ]
    study["products"] = {"learner": "searching"}
    study["validation"] = {
        "folds": [{"method": "random", "n_folds": 4, "repeats": 3}, {"method": "site", "n_folds": 5}],
        "inner": {"method": "site", "n_folds": 3},
        "groups": [{"name": "terrain", "covariates": ["elevation", "slope"]}],
        "subsets": [{"name": "cold", "maximum": -4.0}],
        "bootstrap": 50,
        "domain": 200,
    }
    return study


pytestmark = pytest.mark.usefixtures("unpainted")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def planned(study: dict, data: Path, out: Path, **keywords) -> Plan:
    return plan(parse_study(study), out, data=data, **{"workers": 1, **keywords})


def by_folds(told: Plan) -> dict[tuple[str, str, str], Line]:
    return {(line.learner, line.folds, line.subset): line for line in told.lines}


@pytest.fixture(scope="module")
def before(data, tmp_path_factory) -> tuple[Plan, Path]:
    out = tmp_path_factory.mktemp("before") / "out"
    return planned(searching_study(), data, out), out


def test_a_dry_run_writes_no_product(before):
    _, out = before
    assert not PRODUCTS & {path.name for path in out.iterdir()}
    assert not list((out / "maps").iterdir())
    assert {path.name for path in (out / "work").iterdir()} <= {
        "hashes.json",
        "ledger.json",
        "lock",
        "stack",
        "study",
    }


def test_fits_are_those_of_folds_times_one_and_what_is_searched(before):
    lines = by_folds(before[0])
    assert lines["plain", "random_3x4", "all"].fits == 12
    assert lines["searching", "random_3x4", "all"].fits == 12 * (1 + 3 * 3)
    assert lines["searching", "site", "cold"].fits == 5 * (1 + 3 * 3)
    assert lines["searching_without_terrain", "site", "all"].fits == 5 * (1 + 3 * 3)
    assert ("searching_without_terrain", "random_3x4", "all") not in lines
    assert lines["searching", ALL_ROWS, "all"].fits == 1 + 3 * 3
    assert all(line.seconds > 0 and line.done == 0 for line in lines.values())


def test_a_run_uses_the_layers_and_then_everything_is_done(before, data):
    told, out = before
    layers = {path: path.stat().st_mtime_ns for path in (out / "work" / "stack").iterdir()}
    run(parse_study(searching_study()), out, data=data, workers=1)
    assert {path: path.stat().st_mtime_ns for path in layers} == layers
    products = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    after = planned(searching_study(), data, out)
    assert after.fits == after.done == told.fits
    assert after.seconds == after.maps.seconds == 0
    notes = ("hashes.json", "ledger.json", "study")
    kept = {path: path.stat().st_mtime_ns for path in products if path.name not in notes}
    assert kept == {path: stamp for path, stamp in products.items() if path in kept}
    pieces = {path.stem for path in (out / "work" / "folds").glob("*.npy")}
    told_of = {(x.subset, x.folds, x.learner): x.n_folds for x in told.lines if x.folds not in OWN}
    assert pieces == {
        f"{'_'.join(key)}_{n}" for key, n_folds in told_of.items() for n in range(-(-n_folds // 10))
    }
    one, *_ = sorted((out / "work" / "folds").glob("all_random_3x4_searching_*.npy"))
    one.unlink()
    lines = by_folds(planned(searching_study(), data, out))
    # Twelve folds are kept in pieces of ten.
    assert lines["searching", "random_3x4", "all"].done == 2 * 10
    assert lines["searching", "random_3x4", "all"].seconds > 0
    assert lines["plain", "random_3x4", "all"].done == 12


def test_workers_shorten_the_time_by_the_clock_alone(before, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    told, _ = before
    assert replace(told, workers=2).wall == pytest.approx(told.seconds / 2)
    assert replace(told, workers=64).wall == pytest.approx(told.seconds / 4)


def test_residuals_that_blocks_are_made_of_are_counted_and_not_searched_for(data, tmp_path):
    study = searching_study()
    study["validation"]["folds"].append({"method": "block", "size": "residual_variogram", "n_folds": 3})
    del study["validation"]["subsets"]
    told = by_folds(planned(study, data, tmp_path / "out"))
    line = told["searching", RESIDUALS, "all"]
    assert line.fits == line.n_folds * (1 + 3 * 3)
    assert told["searching", "block_residual", "all"].n_folds == 3


def test_maps_of_all_kinds_are_told_and_only_those_that_are_not_kept_take_time(small_world, tmp_path):
    study = small_study(lean=True)
    study["learners"] = [{"name": "random_forest", "n_estimators": 5}, {"name": "ridge"}]
    study["validation"]["folds"] = [{"method": "site", "n_folds": 3}]
    study["ensemble"] = {"label": "joined", "learners": ["random_forest", "ridge"], "members": 12}
    study["ensemble"] |= {"inner": {"method": "site", "n_folds": 3}, "block": 200_000}
    study["products"] = {"learner": "random_forest", "applicability": True}
    out = tmp_path / "out"
    before = planned(study, small_world, out)
    assert {kind.kind for kind in before.maps.kinds} == {"target", "ensemble", "members", "applicability"}
    assert all(kind.seconds > 0 for kind in before.maps.kinds)
    run(parse_study(study), out, data=small_world, workers=1)
    assert len(list((out / "maps").glob("*.tif"))) == before.maps.count
    assert planned(study, small_world, out).seconds == 0
    (out / "maps" / f"small_expected_error_{EPOCHS[0]}.tif").unlink()
    after = {kind.kind: kind.seconds for kind in planned(study, small_world, out).maps.kinds}
    assert after.pop("applicability") > 0
    assert set(after.values()) == {0.0}


def test_the_command_prints_a_table_and_says_that_it_is_an_estimate(capsys, data, tmp_path):
    path = write_study(tmp_path, searching_study())
    outcome = call(capsys, "run", path, "--data", data, "--out", tmp_path / "out", "--dry-run")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["learner", "folds", "subset", "n", "fits", "done", "CPU", "time", "left"]
    table = lines[: next(n for n, line in enumerate(lines) if line.startswith("all "))]
    assert len({line.index(line.split()[2]) for line in table if "random_3x4" in line}) == 1
    assert "estimate" in lines[-3]
    assert lines[-1].startswith("No product was written")
    assert not (tmp_path / "out" / "summary.json").exists()


def test_a_bad_study_has_status_2_and_leaves_nothing(capsys, data, tmp_path):
    study = searching_study()
    study["products"] = {"learner": "nobody"}
    path = write_study(tmp_path, study)
    outcome = call(capsys, "run", path, "--data", data, "--out", tmp_path / "out", "--dry-run")
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert not (tmp_path / "out").exists()
    with pytest.raises(StudyError):
        plan(path, tmp_path / "out", data=data)


def test_a_plan_without_subsets_has_no_column_for_them(before):
    told, _ = before
    alone = replace(told, lines=tuple(line for line in told.lines if line.subset == "all"))
    assert "subset" not in show_plan(alone).splitlines()[0]


FITS = list[int]()


class Counting(Ridge):
    """Counts how often it is fitted."""

    def fit(self, X, y, sample_weight=None):
        FITS.append(1)
        return super().fit(X, y, sample_weight)


JUDGE = Judge(FoldsSpec("site", {"n_folds": 3, "seed": 1}), Objective("rmse"))
SPACE = {"alpha": [0.1, 1.0, 10.0, 100.0], "fit_intercept": [True, False], "positive": [True, False]}
EXACT = {
    "none": None,
    "grid": grid_search(SPACE, JUDGE),
    "random": random_search(SPACE, JUDGE, draws=5, seed=1),
    "bayesian": bayesian_search(SPACE, JUDGE, draws=6, seed=1),
    "ranking": ranking_selection(JUDGE),
    "combination": combination_selection(JUDGE, {"one": ["a", "b"], "two": ["c"], "three": ["d"]}),
    "both": chained(combination_selection(JUDGE, {"one": ["a"]}), grid_search(SPACE, JUDGE)),
}
AT_MOST = {
    "forward": forward_selection(JUDGE),
    "forward from a start": forward_selection(JUDGE, start=["a"], most=2),
}


def counted(choose) -> tuple[int, int, int]:
    """Return the fits that are told, those made in telling, and those of one fold in truth."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))
    table = table.assign(
        value=table["a"] + table["b"], longitude=rng.uniform(0, 9, 60), latitude=60.0, site_group=range(60)
    )
    candidate = Candidate(lambda keywords, covariates: Counting(**keywords), tuple("abcd"), choose=choose)
    scheme = site(table, n_folds=5)
    train, test = scheme.pairs[0]
    FITS.clear()
    told = fold_cost(candidate, table.iloc[train], table.iloc[test]).whole
    assert told.seconds > 0
    sampled = len(FITS)
    FITS.clear()
    predict_all({"it": candidate}, table, [scheme])
    assert len(FITS) % len(scheme) == 0 or choose in AT_MOST.values()
    return told.fits, sampled, len(FITS) // len(scheme)


@pytest.mark.parametrize("name", EXACT)
def test_as_many_fits_are_told_as_are_made(name):
    told, _, made = counted(EXACT[name])
    assert told == made


@pytest.mark.parametrize("name", AT_MOST)
def test_a_selection_that_may_end_early_makes_no_more_fits_than_told(name):
    told, _, made = counted(AT_MOST[name])
    assert made <= told


def test_only_a_few_fits_of_a_large_grid_are_made_to_time_it():
    told, sampled, _ = counted(grid_search({"alpha": np.geomspace(0.01, 100, 60).tolist()}, JUDGE))
    assert told == 1 + 60 * 3
    assert sampled <= 5 + 8


def test_a_slow_keyword_weighs_as_often_as_it_is_searched():
    """A search of which a third of the fits takes long takes about a third of that for each."""

    class Slow(Ridge):
        def fit(self, X, y, sample_weight=None):
            end = time.process_time() + (0.03 if self.alpha == 3.0 else 0.0)
            while time.process_time() < end:
                pass
            return super().fit(X, y, sample_weight)

    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    table = table.assign(
        value=table["a"], longitude=rng.uniform(0, 9, 40), latitude=60.0, site_group=range(40)
    )
    space = {"alpha": [1.0, 2.0, 3.0], "max_iter": [10, 20, 30], "tol": [1e-3, 1e-4, 1e-5]}
    candidate = Candidate(
        lambda keywords, covariates: Slow(**keywords), ("a", "b"), choose=grid_search(space, JUDGE)
    )
    told = fold_cost(candidate, table, table).choice
    assert told.fits == 27 * 3
    assert 27 * 0.03 < told.seconds < 2 * 27 * 0.03
