"""The command line: thin commands that parse, call one function, and print."""

import sys
from pathlib import Path
from typing import Any

import click

from permagrid import __version__
from permagrid.errors import PermagridError, StudyError

_DATA = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="PERMAGRID_DATA",
    help="Folder from which the study's relative paths start [env PERMAGRID_DATA; default: the study's own].",
)
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


class Commands(click.Group):
    """Shows mistakes that a user can mend in one line each, and exits with status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except StudyError as error:
            for fault in error.faults:
                click.echo(f"error: {fault}", err=True)
        except PermagridError as error:
            click.echo(f"error: {error}", err=True)
        except KeyboardInterrupt:
            click.echo("interrupted; kept steps are reused by the next run", err=True)
            ctx.exit(130)
        return ctx.exit(2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="permagrid")
def main() -> None:
    """Permafrost maps that can be trusted, from point observations and gridded covariates.

    \b
    Example:
      permagrid world --out world
      permagrid run studies/virtual_arctic.yaml --data world --out out
    """


@main.command()
@click.argument("study", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write."
)
@_DATA
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Threads.")
@click.option(
    "--block", type=click.IntRange(16), default=512, show_default=True, help="Cells per side of a block."
)
@_QUIET
def run(study: Path, out: Path, data: Path | None, workers: int, block: int, quiet: bool) -> None:
    """Carry out STUDY: maps, scores, sites, report and summary in a folder.

    Running again makes anew only what depends on what changed.

    \b
    Example:
      permagrid run studies/arctic_magt.yaml --data data --out out/magt
    """
    from rich.console import Console

    from permagrid.progress import Steps
    from permagrid.run import run as run_study

    steps = Steps(None if quiet else Console(stderr=True))
    folder = run_study(study, out, data=data, workers=workers, block=block, steps=steps)
    if not quiet:
        from permagrid.show import show_run

        click.echo(show_run(folder))


@main.command()
@click.argument("study", type=click.Path(dir_okay=False, path_type=Path))
@_DATA
@click.option("--no-data", is_flag=True, help="Check the study file alone, not the files it names.")
def check(study: Path, data: Path | None, no_data: bool) -> None:
    """Report every fault of STUDY and its data at once, each with its place and what is allowed.

    \b
    Example:
      permagrid check studies/arctic_magt.yaml --data data
    """
    from permagrid.check import check_study
    from permagrid.study import read_study

    faults = check_study(read_study(study), data or study.parent, data=not no_data)
    if faults:
        raise StudyError(faults)
    click.echo(f"{study}: no fault found")


@main.command()
@click.argument("target", type=click.Choice(["magt", "alt", "extent"]))
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def new(target: str, path: Path) -> None:
    """Write a commented study file for a TARGET to start from, to PATH.

    \b
    Example:
      permagrid new magt my_study.yaml
    """
    from permagrid.template import write_template

    write_template(path, target)
    click.echo(f"{path}: edit it, then: permagrid check {path}")


@main.command()
def schema() -> None:
    """Print the JSON Schema of study files, by which editors complete and check them.

    \b
    Example:
      permagrid schema > study.schema.json
    """
    import json

    from permagrid.schema import study_schema

    click.echo(json.dumps(study_schema(), indent=2))


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def show(folder: Path) -> None:
    """Print what a run left in FOLDER: sites, scores, maps and where they are.

    \b
    Example:
      permagrid show out/magt
    """
    from permagrid.show import show_run

    click.echo(show_run(folder))


@main.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--size", type=click.IntRange(16), default=300, show_default=True, help="Cells per side.")
@click.option(
    "--resolution", type=click.FloatRange(1.0), default=5000.0, show_default=True, help="Cell size [m]."
)
@click.option("--boreholes", type=click.IntRange(8), default=250, show_default=True, help="Borehole sites.")
@click.option(
    "--faults", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of faulty sites."
)
def world(out: Path, seed: int, size: int, resolution: float, boreholes: int, faults: float) -> None:
    """Write a virtual permafrost world, with its truth, as the files that a user has.

    \b
    Example:
      permagrid world --out world --seed 7
    """
    from permagrid.world import write_world

    write_world(out, seed=seed, size=size, resolution=resolution, n_boreholes=boreholes, fault_share=faults)
    click.echo(f"{out}: {size} x {size} cells of {resolution:g} m; files are listed in {out / 'README.txt'}")


if __name__ == "__main__":
    sys.exit(main())
