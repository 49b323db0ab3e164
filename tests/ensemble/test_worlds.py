"""Intervals and totals against the truth of five virtual worlds, as in benchmarks/ensemble_worlds.py."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "ensemble_worlds.py"
WORLDS = range(5)


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    specification = importlib.util.spec_from_file_location("ensemble_worlds", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules["ensemble_worlds"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(benchmark: ModuleType) -> pd.DataFrame:
    with threadpool_limits(1):
        return pd.DataFrame([benchmark.result_of(seed, 150, 200_000.0, 40, fewer=5) for seed in WORLDS])


def test_intervals_hold_about_what_they_say(results):
    held = results["copula_bma_borehole"]
    assert 0.90 <= held.mean() <= 0.99
    assert held.min() >= 0.80


def test_the_range_of_the_members_holds_the_total_where_independent_errors_do_not(results):
    truth = results["truth"]
    held = truth.between(results["members_low"], results["members_high"])
    alone = truth.between(results["independent_low"], results["independent_high"])
    assert held.sum() >= 4
    assert alone.sum() < held.sum()
    wide, narrow = (results[f"{name}_high"] - results[f"{name}_low"] for name in ("members", "independent"))
    assert (wide > 2.0 * narrow).all()


def test_the_summary_tells_all_worlds(benchmark, results):
    told = benchmark.summary(results)
    assert "of 5" in told
    assert all(name in told for name in ("COP-BMA", "plain BMA", "200 members"))
