"""A forest of scikit-learn predicts a map through Pyspatialml, as often as `raster_peers.py` asks.

It runs in an environment of its own, as Pyspatialml needs NumPy 1. Each line of the input is the side of a
block, and is answered by the seconds of processor that the map took.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from pyspatialml import Raster
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

MAP = {"dtype": "float32", "nodata": float("nan"), "compress": "deflate", "tiled": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of covariate_*.tif and rows.csv")
    parser.add_argument("task", choices=["class", "value"])
    parser.add_argument("trees", type=int)
    parser.add_argument("mtry", type=int, help="covariates that a split may choose among")
    options = parser.parse_args()
    path = options.folder / "rows.csv"
    names = path.read_text().split("\n", 1)[0].split(",")[:-1]
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    rows, values = table[:, :-1], table[:, -1]
    given = {"n_estimators": options.trees, "max_features": options.mtry, "random_state": 0}
    if options.task == "class":
        model = RandomForestClassifier(**given).fit(rows, values > 0)
    else:
        model = RandomForestRegressor(**given).fit(rows, values)
    out = str(options.folder / f"pyspatialml_{options.task}.tif")
    for line in sys.stdin:
        start = time.process_time()
        stack = Raster([str(options.folder / f"{name}.tif") for name in names])
        stack.block_shape = (int(line), int(line))
        if options.task == "class":
            stack.predict_proba(model, out, indexes=[1], **MAP)
        else:
            stack.predict(model, out, **MAP)
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
