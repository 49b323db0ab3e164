"""Kills runs of a virtual study at random moments and resumes them: products must be those of whole runs.

``python benchmarks/kills.py [--kills 50] [--study studies/virtual_arctic.yaml] [--seed 0] [--folder FOLDER]``

A run is started and killed (SIGKILL) after a time drawn evenly between nothing and what an undisturbed run
takes; it is started again in the same folder, and killed again, until one comes to its end; then a new folder
is begun. After each kill, whatever stands under the name of a product must be whole: `permagrid verify` may
find things unfinished, but nothing rotted. What a finished folder holds must be the bytes of the undisturbed
run, but for the times in summary.json, and no temporary file or block may be left.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from permagrid.files import sha256_of
from permagrid.verify import verify
from permagrid.world import write_world

ROOT = Path(__file__).resolve().parents[1]
CODE = "import sys; from permagrid.cli import main; main(sys.argv[1:], prog_name='permagrid')"


def started(study: Path, world: Path, out: Path) -> subprocess.Popen[bytes]:
    words = ["run", "--quiet", study, "--data", world, "--out", out]
    return subprocess.Popen([sys.executable, "-c", CODE, *map(str, words)])


def products(out: Path) -> dict[str, str]:
    """Return name -> hash of all that a run leaves; the times in its summary differ."""
    paths = [path for path in out.iterdir() if path.is_file()] + list((out / "maps").iterdir())
    return {path.name: sha256_of(path) for path in paths if path.name != "summary.json"}


def stage(out: Path) -> str:
    """Return how far a killed run had come."""
    if (out / "report.html").exists():
        return "after the report"
    if list(out.glob("maps/.*partial*")):
        return "while a map was finished"
    if list(out.glob("work/.*.partial.tif")):
        return "while blocks were put together"
    if list(out.glob("work/blocks/*/*")):
        return "among blocks"
    if list(out.glob("maps/*.tif")):
        return "between maps"
    return "before the maps" if (out / "work").exists() else "before the folder"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--study", type=Path, default=ROOT / "studies" / "virtual_arctic.yaml")
    parser.add_argument("--world", type=Path, help="Folder of its data [a virtual world made for it].")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="Where to work [a temporary folder].")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="kills-"))
    world = given.world or write_world(folder / "world", seed=7)
    begun = time.perf_counter()
    if started(given.study, world, folder / "whole").wait() != 0:
        sys.exit("the undisturbed run failed")
    whole, took = products(folder / "whole"), time.perf_counter() - begun
    print(f"undisturbed: {took:.0f} s, {len(whole)} products")

    chance, stages, finished, failed = random.Random(given.seed), Counter[str](), 0, 0
    out = folder / "killed"
    while sum(stages.values()) < given.kills or out.exists():
        # When there are kills enough, the last folder is brought to its end.
        left = given.kills - sum(stages.values())
        run = started(given.study, world, out)
        try:
            status = run.wait(timeout=chance.uniform(0.0, took) if left > 0 else None)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            stages[stage(out)] += 1
            if (out / "work" / "ledger.json").exists():
                rotted = [found for found in verify(out).findings if found.kind == "rotted"]
                failed += bool(rotted)
                for found in rotted:
                    print(f"after kill {sum(stages.values())}: {found}")
            continue
        left_over = [path for path in out.rglob("*") if ".partial" in path.name or path.suffix == ".block"]
        is_whole = status == 0 and products(out) == whole and not left_over and verify(out).status == 0
        finished, failed = finished + 1, failed + (not is_whole)
        print(
            f"finished {finished} after {sum(stages.values())} kills: {'same bytes' if is_whole else 'NOT'}"
        )
        shutil.rmtree(out)
    for name, count in stages.most_common():
        print(f"{count:4d} kills {name}")
    print(f"{sum(stages.values())} kills, {finished} finished runs, {failed} with a difference")
    if given.folder is None:
        shutil.rmtree(folder)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
