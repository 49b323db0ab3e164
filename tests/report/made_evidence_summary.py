"""Made-up learners under several fold schemes: scores, distances, and paired differences."""

import numpy as np
import pandas as pd

FOLDS = ("random", "random_3x5", "site", "knndm", "block_residual", "block_500km", "region_country")
QUOTE = {"learner": "forest", "folds": "knndm", "wasserstein_km": 9.0, "rule": "smallest W"}
STUDY = {"target": {"variable": "t", "unit": "degC"}, "products": {"learner": "forest"}}


def made_scores(learners=("forest", "ridge"), folds=FOLDS, metrics=("rmse", "r2")):
    """Return scores that grow worse from learner to learner and from scheme to scheme."""
    rows = []
    for number, learner in enumerate(learners):
        for place, name in enumerate(folds):
            row = {"target": "t", "learner": learner, "folds": name, "subset": "all", "n": 90, "n_sites": 30}
            for metric in metrics:
                value = 1.0 + 0.1 * number + 0.2 * place
                value = value if metric == "rmse" else 1.0 - value / 5.0
                row |= {metric: value, f"{metric}_low": value - 0.1, f"{metric}_high": value + 0.1}
            rows.append(row)
    return pd.DataFrame(rows)


def made_distances(folds=FOLDS, furthest=2500.0):
    """Return curves of distances as ``fold_distances.csv`` holds them."""
    shares = np.linspace(0.0, 1.0, 21)
    frames = [
        pd.DataFrame(
            {
                "folds": name,
                "wasserstein_km": 40.0 - 5.0 * place,
                "kind": kind,
                "distance_km": furthest * scale * shares**3,
                "share": shares,
            }
        )
        for place, name in enumerate(folds)
        for kind, scale in (("sample_to_sample", 0.1), ("test_to_train", 0.5), ("prediction_to_sample", 1.0))
    ]
    return pd.concat(frames, ignore_index=True)


def made_pair(learner, folds, difference, half, **more):
    """Return a paired difference of RMSE as a summary holds it."""
    told = difference is not None
    return {
        "learner": learner,
        "reference": "forest",
        "folds": folds,
        "metric": "rmse",
        "score": 1.0 + difference if told else None,
        "reference_score": 1.0,
        "difference": difference,
        "difference_interval": [difference - half, difference + half] if told else [None, None],
        "p": 0.01 if told else None,
        "p_holm": 0.02 if told else None,
        "reason": "" if told else "other rows were tested than those of the reference",
        **more,
    }
