"""Peak memory of predicting a random forest over 1, 4 and 16 million cells, each in a fresh process."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SIDES = (1000, 2000, 4000)
STEPS = Path(__file__).with_name("prediction_steps.py")


def fresh(step: str, side: int, folder: Path, workers: int) -> dict[str, float]:
    """Run one step in a process of its own, whose memory holds nothing of this one."""
    command = [sys.executable, str(STEPS), step, str(side), str(folder), str(workers)]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(text or "{}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES, help="cells along a side")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print(f"random forest of 50 trees, 6 covariates, {options.workers} workers, blocks of 512 x 512 cells")
    print(f"{'cells':>12}{'peak MB':>10}{'above imports':>15}{'ratio':>8}{'cells/s':>12}", flush=True)
    peaks: list[float] = []
    for side in options.sides:
        with tempfile.TemporaryDirectory() as name:
            fresh("build", side, Path(name), options.workers)
            found = fresh("predict", side, Path(name), options.workers)
        peaks.append(found["peak"])
        above, ratio, speed = found["peak"] - found["floor"], peaks[-1] / peaks[0], side**2 / found["seconds"]
        print(f"{side**2:>12,}{peaks[-1]:>10.0f}{above:>15.0f}{ratio:>8.2f}{speed:>12,.0f}", flush=True)
    growth = 100 * (peaks[-1] / peaks[0] - 1)
    smallest, largest = options.sides[0] ** 2 / 1e6, options.sides[-1] ** 2 / 1e6
    print(f"peak memory grows by {growth:.1f} % from {smallest:g} to {largest:g} million cells")


if __name__ == "__main__":
    main()
