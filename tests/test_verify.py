"""Verifying a folder: every flip, cut and loss is named, what is whole passes, and nothing is changed."""

import json
import shutil
from pathlib import Path

import pytest

from command_line import call
from permagrid.errors import PermagridError
from permagrid.files import sha256_of
from permagrid.rundir import FILES, RunDir
from permagrid.verify import verify
from run_folder import carry_out
from small_study import small_study

pytestmark = pytest.mark.usefixtures("unpainted")


@pytest.fixture(scope="module")
def finished(small_world, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("verified") / "out"
    summary = carry_out(small_study(lean=True), small_world, out)
    assert summary["reused"] == {"layers": 0, "folds": 0, "maps": 0, "report": 0}
    return out


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "out"))


def kinds(out: Path, **keywords) -> dict[str, str]:
    return {finding.name: finding.kind for finding in verify(out, **keywords).findings}


def all_files(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def test_a_folder_that_is_as_it_was_left_passes_and_is_not_changed(finished, small_world, capsys):
    before = sha256_of(finished)
    outcome = call(capsys, "verify", finished, "--data", small_world)
    assert outcome.status == 0
    assert outcome.out.endswith("hashes compared: all as they were left\n")
    assert sha256_of(finished) == before


def test_every_flip_and_loss_of_a_product_or_kept_step_is_named(copy, capsys):
    own = {f"work/{name}" for name in ("ledger.json", "seal.json", "hashes.json", "lock", "study")}
    watched = [name for name in all_files(copy) if name not in own]
    assert {name.partition("/")[0] for name in watched} == set(FILES)
    for name in watched:
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 3] ^= 1
        (copy / name).write_bytes(bytes(content))
    found = verify(copy)
    assert found.status == 1
    rotted = {finding.name for finding in found.findings if finding.kind == "rotted"}
    for name in watched:
        assert (
            name in rotted or name.split(".zarr")[0] + ".zarr" in rotted or str(Path(name).parent) in rotted
        )
    for name in watched:
        (copy / name).unlink()
    assert {name for name, kind in kinds(copy).items() if kind == "missing"} >= {
        name for name in watched if ".zarr" not in name and not name.startswith("models/")
    }
    assert call(capsys, "verify", copy).status == 1


def test_foreign_files_are_told_and_do_no_harm(copy, capsys):
    (copy / "maps" / "by_hand.tif").write_text("mine")
    (copy / "notes.txt").write_text("mine")
    assert kinds(copy) == {"maps/by_hand.tif": "foreign", "notes.txt": "foreign"}
    outcome = call(capsys, "verify", copy)
    assert outcome.status == 0
    assert "foreign: notes.txt (no run left it)" in outcome.out


def test_inputs_that_changed_are_told_where_they_are_asked_for(copy, small_world, tmp_path):
    world = Path(shutil.copytree(small_world, tmp_path / "world"))
    with (world / "dem.tif").open("ab") as file:
        file.write(b"x")
    (world / "boreholes.csv").unlink()
    assert kinds(copy) == {}
    assert kinds(copy, data=world) == {"dem.tif": "changed input", "boreholes.csv": "changed input"}
    assert verify(copy, data=world).status == 3


def test_a_run_that_did_not_end_is_unfinished_and_its_damaged_blocks_are_named(copy, small_world):
    block = copy / "work" / "blocks" / "abc" / "r0-c0-4x4.block"
    block.parent.mkdir(parents=True)
    block.write_bytes(b"half")
    assert kinds(copy) == {"work/blocks/abc/r0-c0-4x4.block": "rotted"}
    block.unlink()
    with RunDir(copy) as folder:
        folder.claim("small")
        folder.unseal()
        folder.begin("maps/small_alt_2000-2004.tif")
    found = verify(copy)
    assert {finding.kind for finding in found.findings} == {"unfinished"}
    assert found.status == 4
    carry_out(small_study(lean=True), small_world, copy)
    assert kinds(copy) == {}


def test_without_kept_steps_maps_and_models_are_still_compared(copy):
    shutil.rmtree(copy / "work")
    found = verify(copy)
    assert (found.status, found.checked) == (4, 11)
    victim = next((copy / "maps").glob("*.tif"))
    victim.write_bytes(victim.read_bytes()[:-1])
    assert verify(copy).status == 1


def test_a_folder_without_a_run_or_with_one_at_work_is_refused(finished, tmp_path):
    with pytest.raises(PermagridError, match="holds no run of permagrid"):
        verify(tmp_path)
    with RunDir(finished), pytest.raises(PermagridError, match="a run is at work in this folder"):
        verify(finished)


def test_products_of_the_summary_are_those_of_the_seal(finished):
    seal = json.loads((finished / "work" / "seal.json").read_text())
    summary = json.loads((finished / "summary.json").read_text())
    assert {made["path"]: made["sha256"] for made in summary["products"]}.items() <= seal.items()
    assert set(FILES) - {"maps", "models", "work"} <= set(seal)
