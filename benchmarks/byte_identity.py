"""One SHA-256 for every product, whatever the blocks, threads, Dask workers, killed workers and shards.

``python benchmarks/byte_identity.py [--side 2000] [--seed 0] [--world WORLD] [--folder FOLDER]``

A virtual world of ``--side`` x ``--side`` cells and two studies of it, each of two epochs: ground temperature
by COP-BMA of four learners, with its interval, some members and their change, and where the map may be
believed; and presence of permafrost by an ensemble of three. Each is run anew in every way of `ways`; maps,
styles, tables, report, and the summary but for its times, must be the same bytes. One worker of three is
killed (SIGKILL) at a random moment while it has blocks in work.
"""

import argparse
import hashlib
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
from distributed import LocalCluster
from ruamel.yaml import YAML

from permagrid.files import sha256_of
from permagrid.world import write_world

ROOT = Path(__file__).resolve().parents[1]
CODE = "import sys; from permagrid.cli import main; main(sys.argv[1:], prog_name='permagrid')"
WIDE, EPOCHS = 1_500_000, ["2000-2004", "2010-2014"]
COVARIATES = ("bio1", "bio10", "snow_depth", "elevation", "slope", "ndvi", "geology", "depth")
TRIES = 5
OF_A_RUN = ("timing_s", "peak_memory_mb", "reused")
"""What a summary says of the run and not of the products."""


def studies(side: int) -> dict[str, dict[str, Any]]:
    """Return the two studies."""
    found = {}
    for name, is_value in (("temperature", True), ("presence", False)):
        study = YAML(typ="safe").load(ROOT / "studies" / "virtual_arctic.yaml")
        study |= {"study": name, "epochs": EPOCHS}
        study["grid"]["resolution"] = WIDE / side
        wanted = COVARIATES if is_value else COVARIATES[:-1]
        study["covariates"] = [part for part in study["covariates"] if part["name"] in wanted]
        linear = [covariate for covariate in ("bio1", "bio10", "snow_depth", "depth") if covariate in wanted]
        study["learners"] = [
            {"name": "random_forest", "n_estimators": 50, "min_samples_leaf": 2},
            {"name": "gradient_boosting", "max_iter": 50},
            {"name": "climate_linear", "covariates": linear},
        ]
        if is_value:
            study["learners"].append({"name": "additive_model"})
        study["validation"] = {"folds": [{"method": "site", "n_folds": 4}], "bootstrap": 100}
        study["ensemble"] = {
            "label": "joined",
            "learners": [learner["name"] for learner in study["learners"]],
            "members": 4,
            "inner": {"method": "site", "n_folds": 3},
            "block": 200_000,
        }
        study["inventory"] = {"permafrost": {"threshold": -1.0} if is_value else {}}
        study["products"] = {"learner": "joined", "applicability": is_value}
        if not is_value:
            presence = {
                "variable": "permafrost_presence",
                "kind": "class",
                "unit": "1",
                "valid_range": [0, 1],
            }
            study["target"] = presence
            study["sites"]["labels"] = {"depth_range": [3, 30]}
            study["sites"]["reduce"] = {}
            study["truth"] = {"path": "truth/permafrost_presence_{epoch}.tif"}
        found[name] = study
    return found


def products(out: Path) -> dict[str, str]:
    """Return name -> hash of all that a run leaves, but for what the summary says of the run itself."""
    paths = [path for path in out.iterdir() if path.is_file()]
    paths += [*(out / "maps").iterdir(), *(out / "models").iterdir()]
    found = {path.name: sha256_of(path) for path in sorted(paths) if path.name != "summary.json"}
    summary = json.loads((out / "summary.json").read_text())
    plain = json.dumps({key: value for key, value in summary.items() if key not in OF_A_RUN}, sort_keys=True)
    return found | {"summary.json": hashlib.sha256(plain.encode()).hexdigest()}


class Runs:
    """Runs of a study in new folders, each by itself.

    Parameters
    ----------
    study, world, folder
        The study's file, its data, and where to work.
    chance
        Draws the moment of a kill.
    """

    def __init__(self, study: Path, world: Path, folder: Path, chance: random.Random) -> None:
        self.study, self.world, self.folder, self.chance = study, world, folder, chance
        self.note, self.drawing = "", 0.0

    def plain(self, out: Path, *words: object) -> None:
        """Run once."""
        self.finished(self.started(out, *words), {0})

    def by_dask(self, out: Path, workers: int) -> None:
        """Run by Dask workers of one thread each."""
        with pool(workers) as cluster:
            self.plain(out, "--scheduler", cluster.scheduler_address)
        timing = json.loads((out / "summary.json").read_text())["timing_s"]
        self.drawing = timing["maps"]

    def by_dying_dask(self, out: Path) -> None:
        """Run by three workers, one of which is killed when a part of the maps is made."""
        for _ in range(TRIES):
            with pool(3) as cluster:
                run = self.started(out, "--scheduler", cluster.scheduler_address, "--block", 128)
                killer = threading.Thread(target=self._kill, args=(cluster, out, run))
                killer.start()
                self.finished(run, {0})
                killer.join()
            if self.note:
                return
            # The moment was after the last block.
            shutil.rmtree(out)
        sys.exit(f"no worker was killed in {TRIES} runs")

    def _kill(self, cluster: LocalCluster, out: Path, run: subprocess.Popen[bytes]) -> None:
        while run.poll() is None and not list(out.glob("work/blocks/*/*.block")):
            time.sleep(0.002)
        begun, moment = time.perf_counter(), self.chance.uniform(0.0, 0.6 * self.drawing)
        time.sleep(moment)
        while run.poll() is None:
            # Those that the scheduler knows to be at a block at this moment.
            states = list(cluster.scheduler.workers.values())
            busy = [
                state for state in states if any(task.key.startswith("_make") for task in state.processing)
            ]
            if busy:
                victim = self.chance.choice(busy)
                pids = {worker.worker_address: worker.pid for worker in cluster.workers.values()}
                held = len(victim.processing)
                os.kill(pids[victim.address], signal.SIGKILL)
                after = time.perf_counter() - begun
                self.note = f"killed {after:.1f} s after the first block, with {held} blocks at it"
                return
            time.sleep(0.002)

    def in_shards(self, out: Path, shards: int) -> None:
        """Run in shards beside each other, as a job array does."""
        self.plain(out, "--prepare")
        parts = [self.started(out, "--shard", f"{n}/{shards}") for n in range(1, shards + 1)]
        for part in parts:
            # The last to be finished finds nothing missing.
            self.finished(part, {0, 4})
        self.plain(out)

    def started(self, out: Path, *words: object) -> subprocess.Popen[bytes]:
        """Begin a run."""
        said = ["run", "--quiet", self.study, "--data", self.world, "--out", out, *words]
        return subprocess.Popen([sys.executable, "-c", CODE, *map(str, said)], stderr=subprocess.PIPE)

    @staticmethod
    def finished(run: subprocess.Popen[bytes], allowed: set[int]) -> None:
        """Wait for the end of a run."""
        _, said = run.communicate()
        if run.returncode not in allowed:
            sys.exit(f"a run ended with status {run.returncode}: {said.decode()}")


@contextmanager
def pool(workers: int) -> Any:
    """Yield a cluster of so many processes of one thread."""
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "spawn"}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster


Way = Callable[[Runs, Path], None]


def ways(side: int) -> dict[str, Way]:
    """Return the ways to run a study."""

    def plainly(*words: object) -> Way:
        return lambda runs, out: runs.plain(out, *words)

    return {
        "blocks of 512, 1 thread": plainly("--workers", 1),
        "blocks of 512, 2 threads": plainly("--workers", 2),
        "blocks of 512, 4 threads": plainly("--workers", 4),
        "blocks of 128, 2 threads": plainly("--block", 128),
        "blocks of 1000, 2 threads": plainly("--block", 1000),
        "64 whole rows, 2 threads": plainly("--block", f"64x{side}"),
        "1 Dask worker": lambda runs, out: runs.by_dask(out, 1),
        "3 Dask workers": lambda runs, out: runs.by_dask(out, 3),
        "3 Dask workers, 1 killed": lambda runs, out: runs.by_dying_dask(out),
        "3 shards": lambda runs, out: runs.in_shards(out, 3),
    }


def compared(runs: Runs, side: int) -> dict[str, dict[str, str]]:
    """Return way -> product -> hash; each folder is removed when it is hashed."""
    found = {}
    for way, carry_out in ways(side).items():
        out, runs.note, begun = runs.folder / "out", "", time.perf_counter()
        carry_out(runs, out)
        found[way] = products(out)
        whole = hashlib.sha256(json.dumps(found[way]).encode()).hexdigest()
        seconds = time.perf_counter() - begun
        print(f"  {way:28}{seconds:7.1f} s   {whole[:16]}   {runs.note}", flush=True)
        shutil.rmtree(out)
    return found


def told(found: dict[str, dict[str, str]]) -> int:
    """Print each product with its hash and return how many have more than one."""
    names: Sequence[str] = sorted({name for hashes in found.values() for name in hashes})
    several = 0
    for name in names:
        hashes = {way: each.get(name, "missing") for way, each in found.items()}
        first = next(iter(hashes.values()))
        other = [way for way, hashed in hashes.items() if hashed != first]
        several += bool(other)
        print(f"  {name:80}{first[:16]}" + (f"   other bytes: {', '.join(other)}" if other else ""))
    return several


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2000, help="cells along a side of the map")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of kills")
    parser.add_argument("--world", type=Path, help="its data [a virtual world made for it]")
    parser.add_argument("--folder", type=Path, help="where to work [a temporary folder]")
    options = parser.parse_args()
    several = 0
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        folder, begun = Path(made), time.perf_counter()
        size = {"size": options.side, "resolution": WIDE / options.side}
        world = options.world or write_world(folder / "world", seed=7, **size)
        print(f"a world of {options.side**2:,} cells, {time.perf_counter() - begun:.0f} s", flush=True)
        for name, study in studies(options.side).items():
            path = folder / f"{name}.json"
            path.write_text(json.dumps(study))
            print(f"{name}:", flush=True)
            found = compared(Runs(path, world, folder, random.Random(options.seed)), options.side)
            several += told(found)
    print("one SHA-256 for every product" if not several else f"{several} products have more than one")
    sys.exit(bool(several))


if __name__ == "__main__":
    main()
