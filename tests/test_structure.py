"""The house rules that a reader of the code relies on: small modules, one job each, layers, no traps."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "src").rglob("*.py"))
OURS = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
TEXTS = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".cfg", ".j2", ".css", ".cff", ""}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def project_files() -> list[Path]:
    """Return the texts of the project: those that git does not ignore, or all where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        listed = [named(path) for path in ROOT.rglob("*") if path.is_file()]
    hidden = {".venv", "out", "build", "dist", ".git"}
    paths = [ROOT / name for name in listed if not hidden & set(Path(name).parts)]
    return [path for path in paths if path.suffix in TEXTS and path.is_file()]


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_module_is_longer_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", OURS, ids=named)
def test_the_first_line_says_the_one_job(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert re.fullmatch(r'"""\S.{10,}\S(""")?', first), first


def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_assert_no_broad_except_no_pickle_no_print(path):
    for node in nodes(path):
        place = f"{named(path)}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Assert), f"{place}: assert"
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type is not None else "everything"
            broad = {"Exception", "BaseException", "everything"} & set(re.findall(r"\w+", caught))
            raises_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            # The command line tells a user whatever else goes wrong in one line.
            assert not broad or raises_again or path.name == "commands.py", place
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"} & set(names), place
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) != "print", place
            unsafe = [k for k in node.keywords if k.arg == "allow_pickle" and ast.unparse(k.value) != "False"]
            assert not unsafe, place


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_function_is_longer_than_60_lines_or_has_more_than_8_parameters(path):
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            first = node.body[1] if text and len(node.body) > 1 else node.body[0]
            place = f"{named(path)}:{node.lineno} {node.name}"
            assert (node.end_lineno or 0) - first.lineno < 60, place
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            known_to_readers = [a for a in arguments if a.arg not in ("self", "cls")]
            # Keywords of plug-ins are what a study may set: as many as there are things to say.
            tabled = any(ast.unparse(d).endswith(".register") for d in node.decorator_list)
            command = path.name == "cli.py"
            assert tabled or command or len(known_to_readers) <= 8, place


def test_layers_import_only_from_those_below():
    linter = Path(sys.executable).with_name("lint-imports")
    command = str(linter) if linter.is_file() else shutil.which("lint-imports")
    assert command, "import-linter is part of the dev requirements"
    found = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_no_file_holds_a_registry_address_a_machine_path_or_a_secret():
    # Written in parts, or this file would be found too.
    banned = {
        "registry address": r"(files\.pythonhosted|pypi\."
        + r"org/simple|index"
        + r"-url\s*[=:]?\s*https?:|//[\w.-]+/simple/)",
        "machine path": r"(?<![\w.])/(" + "home" + "|" + "Users" + "|" + "root" + "|" + "work" + r")/\w",
        "private key": "BEGIN [A-Z ]*PRIVATE" + " KEY",
    }
    found = [
        f"{named(path)}: {what}: {match.group()}"
        for path in project_files()
        for what, pattern in banned.items()
        if (match := re.search(pattern, path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_importing_the_package_does_no_work():
    code = (
        "import sys, permagrid, permagrid.cli;"
        "heavy = {'sklearn', 'rasterio', 'geopandas', 'matplotlib', 'xarray', 'numba'} & set(sys.modules);"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"imported at once: {found.stderr}"
