"""Kills runs of a virtual study at random moments and resumes them: products must be those of whole runs.

``python benchmarks/kills.py [--kills 50] [--runs 50] [--study FILE] [--seed 0] [--folder FOLDER]``

A run is started and killed (SIGKILL); it is started again in the same folder, and killed again, until one
comes to its end; then a new folder is begun. Every other moment is drawn evenly between nothing and what an
undisturbed run takes. For the others the stage of `STAGES` that saw the fewest kills is awaited, and the
moment is drawn within the time that it took undisturbed: so short and late stages have their share, also of
runs that go on from kept steps, however fast the machine. A run that ends before its moment is no kill.

After each kill, whatever stands under the name of a product must be whole: `permagrid verify` may find things
unfinished, but nothing rotted. What a finished folder holds must be the bytes of the undisturbed run, but for
the times in summary.json, and no temporary file or block may be left.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from permagrid.files import sha256_of
from permagrid.verify import verify
from permagrid.world import write_world

ROOT = Path(__file__).resolve().parents[1]
LOOK, LONGEST = 0.002, 5.0
"""How often a run is looked at, and the longest wait within a stage that was awaited [s]."""
CODE = "import sys; from permagrid.cli import main; main(sys.argv[1:], prog_name='permagrid')"


def started(study: Path, world: Path, out: Path) -> subprocess.Popen[bytes]:
    words = ["run", "--quiet", study, "--data", world, "--out", out]
    return subprocess.Popen([sys.executable, "-c", CODE, *map(str, words)])


def products(out: Path) -> dict[str, str]:
    """Return name -> hash of all that a run leaves; the times in its summary differ."""
    paths = [path for path in out.iterdir() if path.is_file()]
    paths += [*(out / "maps").iterdir(), *(out / "models").iterdir()]
    return {path.name: sha256_of(path) for path in paths if path.name != "summary.json"}


STAGES = (
    "before the maps",
    "among blocks",
    "while blocks were put together",
    "while a map was finished",
    "between maps",
    "while tables were written",
    "after the report",
)


def stage(out: Path, begun: float) -> str:
    """Return how far a run has come that began at some time; what earlier ones left does not count."""

    def fresh(path: Path) -> bool:
        try:
            return path.stat().st_mtime >= begun
        except FileNotFoundError:
            return False

    signs = {
        STAGES[6]: "report.html",
        STAGES[5]: "sites.parquet",
        STAGES[3]: "maps/.*partial*",
        STAGES[2]: "work/.*.partial.tif",
        STAGES[1]: "work/blocks/*/*",
        STAGES[4]: "maps/*",
    }
    return next((name for name, sign in signs.items() if any(map(fresh, out.glob(sign)))), STAGES[0])


def watched(run: subprocess.Popen[bytes], out: Path, begun: float) -> Counter[str]:
    """Return how long a run is in each stage [s], when it is at its end."""
    spent, last = Counter[str](), time.time()
    while run.poll() is None:
        time.sleep(LOOK)
        now = time.time()
        spent[stage(out, begun)] += now - last
        last = now
    return spent


class Moments:
    """Draws when runs are killed.

    Parameters
    ----------
    chance
        Draws.
    spent
        How long an undisturbed run is in each stage [s].
    """

    def __init__(self, chance: random.Random, spent: Counter[str]) -> None:
        self.chance, self.spent = chance, spent
        self.kills, self.tried = Counter[str](), Counter[str]()

    def killed(self, run: subprocess.Popen[bytes], out: Path, begun: float) -> bool:
        """Kill a run at the next moment, and return whether it was at work until then."""
        if self.kills.total() % 2 == 0:
            self._wait(run, self.chance.uniform(0.0, self.spent.total()))
        else:
            # Stages that were missed again and again, as they are too short, stand back.
            wanted = min(STAGES, key=lambda name: (self.kills[name] + self.tried[name], STAGES.index(name)))
            self.tried[wanted] += 1
            while run.poll() is None and stage(out, begun) != wanted:
                time.sleep(LOOK)
            self._wait(run, self.chance.uniform(0.0, min(self.spent[wanted], LONGEST)))
        if run.poll() is not None:
            return False
        run.kill()
        if run.wait() != -signal.SIGKILL:
            return False
        self.kills[stage(out, begun)] += 1
        return True

    @staticmethod
    def _wait(run: subprocess.Popen[bytes], seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            run.wait(timeout=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="at least so many")
    parser.add_argument("--runs", type=int, default=50, help="at least so many that were killed and finished")
    parser.add_argument("--study", type=Path, default=ROOT / "studies" / "virtual_arctic.yaml")
    parser.add_argument("--world", type=Path, help="Folder of its data [a virtual world made for it].")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="Where to work [a temporary folder].")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="kills-"))
    world = given.world or write_world(folder / "world", seed=7)
    begun = time.time()
    run = started(given.study, world, folder / "whole")
    spent = watched(run, folder / "whole", begun)
    if run.returncode != 0:
        sys.exit("the undisturbed run failed")
    whole = products(folder / "whole")
    print(f"undisturbed: {spent.total():.0f} s, {len(whole)} products")

    moments, finished, failed = Moments(random.Random(given.seed), spent), 0, 0
    out, kills = folder / "killed", 0
    while (moments.kills.total() < given.kills or finished < given.runs) or out.exists():
        begun = time.time()
        run = started(given.study, world, out)
        # When there are kills enough, the last folder is brought to its end.
        is_enough = moments.kills.total() >= given.kills and finished + (kills > 0) >= given.runs
        if not is_enough and moments.killed(run, out, begun):
            kills += 1
            if (out / "work" / "ledger.json").exists():
                rotted = [found for found in verify(out).findings if found.kind == "rotted"]
                failed += bool(rotted)
                for found in rotted:
                    print(f"after kill {moments.kills.total()}: {found}")
            continue
        status = run.wait()
        left_over = [path for path in out.rglob("*") if ".partial" in path.name or path.suffix == ".block"]
        is_whole = status == 0 and products(out) == whole and not left_over and verify(out).status == 0
        finished, failed = finished + (kills > 0), failed + (not is_whole)
        print(
            f"finished {finished} after {kills} kills, {moments.kills.total()} in all: "
            f"{'same bytes' if is_whole else 'NOT'}",
            flush=True,
        )
        shutil.rmtree(out)
        kills = 0
    for name in STAGES:
        print(f"{moments.kills[name]:4d} kills {name}; undisturbed {spent[name]:.1f} s")
    print(f"{moments.kills.total()} kills, {finished} runs finished after some, {failed} with a difference")
    if given.folder is None:
        shutil.rmtree(folder)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
