"""The command line: thin commands that parse, call one function, and print."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from permagrid import __version__
from permagrid.commands import VERBOSE, Commands
from permagrid.errors import StudyError

if TYPE_CHECKING:
    from permagrid.executors import Executor

_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="PERMAGRID_DATA",
    help="Folder from which the study's relative paths start [env PERMAGRID_DATA; default: the study's own].",
)
_STUDY = click.argument("study", type=click.Path(path_type=Path))
_OUT = click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="permagrid")
def main() -> None:
    """Permafrost maps that can be trusted, from point observations and gridded covariates.

    \b
    Example:
      permagrid world --out world --seed 7
      permagrid run studies/virtual_arctic.yaml --data world --out out
    """


@main.command()
@_STUDY
@_OUT
@_DATA
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Threads.")
@click.option(
    "--block", default="512", show_default=True, help="Cells per side of a block, or ROWSxCOLUMNS of it."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what it would cost: fits, how many are done, time, maps. Only the covariate stack is made.",
)
@click.option(
    "--scheduler",
    envvar="DASK_SCHEDULER_ADDRESS",
    help="Make maps by the workers of the Dask scheduler at this address [env DASK_SCHEDULER_ADDRESS].",
)
@click.option(
    "--prepare", is_flag=True, help="Do all that comes before the maps, for --shard of job arrays to go on."
)
@click.option("--shard", metavar="I/N", help="Make every N-th block of all maps, from the I-th; status 4.")
@click.option(
    "--memory", help="Memory that the run may take, such as 4GiB: blocks are made smaller and fewer for it."
)
@click.option("--slurm", type=click.IntRange(1), metavar="JOBS", help="Make maps by so many jobs of SLURM.")
@_QUIET
@click.pass_context
def run(
    ctx: click.Context,
    study: Path,
    out: Path,
    data: Path | None,
    workers: int,
    block: str,
    dry_run: bool,
    scheduler: str | None,
    slurm: int | None,
    prepare: bool,
    shard: str | None,
    memory: str | None,
    quiet: bool,
) -> None:
    """Carry out STUDY: maps, scores, sites, report and summary in a folder.

    Running again makes anew only what depends on what changed.

    \b
    Example:
      permagrid run studies/arctic_magt.yaml --data data --out out/magt
    """
    from rich.console import Console

    from permagrid.grid import parse_block
    from permagrid.progress import Steps

    console = Console(stderr=True)
    shown = ctx.meta.get(VERBOSE) or (console.is_terminal and not quiet)
    steps = Steps(console if shown else None)
    side = parse_block(block)
    if memory is not None and (prepare or shard is not None):
        raise click.UsageError("--memory chooses --block by itself, which must be the same for all parts")
    size = None
    if memory is not None:
        from permagrid.steps.memory import parse_size

        size = parse_size(memory)
    if dry_run:
        from permagrid.plan import plan, show_plan

        told = plan(study, out, data=data, workers=workers, block=side, steps=steps, memory=size)
        click.echo(show_plan(told))
        return
    if prepare or shard is not None:
        from permagrid import parts

        task = parts.Task(study, out, data, workers, side)
        if prepare:
            parts.prepare(task, steps=steps)
        if shard is not None:
            part = parts.Shard.parse(shard)
            with _executor(scheduler, slurm) as executor:
                parts.make_shard(task, part, executor=executor, steps=steps)
        return
    from permagrid.run import run as run_study

    with _executor(scheduler, slurm) as executor:
        folder = run_study(
            study,
            out,
            data=data,
            workers=workers,
            block=side,
            steps=steps,
            executor=executor,
            memory=size,
        )
    if not (quiet or shown):
        for note in steps.notes:
            click.echo(f"note: {note}", err=True)
    if not quiet:
        from permagrid.show import show_run

        click.echo(show_run(folder))


@contextmanager
def _executor(scheduler: str | None, slurm: int | None) -> "Iterator[Executor | None]":
    """Yield the workers that were asked for; None for threads of this process."""
    if not scheduler and slurm is None:
        yield None
        return
    from permagrid.dask_workers import DaskWorkers

    with DaskWorkers.on_slurm(slurm) if slurm is not None else DaskWorkers.at(str(scheduler)) as workers:
        yield workers


@main.command()
@_STUDY
@_DATA
@click.option("--no-data", is_flag=True, help="Check the study file alone, not the files it names.")
def check(study: Path, data: Path | None, no_data: bool) -> None:
    """Report every fault of STUDY and its data at once, each with its place and what is allowed.

    \b
    Example:
      permagrid check studies/arctic_magt.yaml --data data
    """
    from permagrid.check import check_file

    faults = check_file(study, data or study.parent, data=not no_data)
    if faults:
        raise StudyError(faults)
    click.echo(f"{study}: no fault found")


@main.command()
@_STUDY
@_DATA
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of a run; layers made here are used by it [none]."
)
@click.option("--json", "report", type=click.Path(path_type=Path), help="File to write the findings to, too.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Threads.")
@_QUIET
@click.pass_context
def audit(
    ctx: click.Context,
    study: Path,
    data: Path | None,
    out: Path | None,
    report: Path | None,
    workers: int,
    quiet: bool,
) -> None:
    """Find what makes the scores of STUDY look better than they are, or its maps impossible.

    Leakage, data where they do not exist, impossible values, too few sites: each finding says how bad it is,
    where it stands and what to do. No run is needed. The status is 1 if a finding is fatal, else 0.

    \b
    Example:
      permagrid audit studies/arctic_magt.yaml --data data
    """
    from rich.console import Console

    from permagrid import review
    from permagrid.progress import Steps

    console = Console(stderr=True)
    shown = ctx.meta.get(VERBOSE) or (console.is_terminal and not quiet)
    steps = Steps(console if shown else None)
    findings = review.review(study, data=data, out=out, workers=workers, steps=steps)
    if report is not None:
        review.write_findings(report, study.name, findings)
    if not quiet:
        review.show_findings(findings, Console())
    if any(finding.severity == "fatal" for finding in findings):
        ctx.exit(1)


@main.command()
@click.argument("target", type=click.Choice(["magt", "alt", "extent"]))
@click.argument("path", type=click.Path(path_type=Path))
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
@click.option("--markdown", is_flag=True, help="Print the reference of every key for people instead.")
def schema(markdown: bool) -> None:
    """Print the JSON Schema of study files, by which editors complete and check them.

    \b
    Example:
      permagrid schema > study.schema.json
    """
    if markdown:
        from permagrid.reference import study_reference

        click.echo(study_reference(), nl=False)
        return
    import json

    from permagrid.schema import study_schema

    click.echo(json.dumps(study_schema(), indent=2, allow_nan=False))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def show(folder: Path) -> None:
    """Print what a run left in FOLDER: sites, scores, maps and where they are.

    \b
    Example:
      permagrid show out/magt
    """
    from permagrid.show import show_run

    click.echo(show_run(folder))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Compare the inputs in this folder, too.")
@_QUIET
@click.pass_context
def verify(ctx: click.Context, folder: Path, data: Path | None, quiet: bool) -> None:
    """Hash again all that a run left in FOLDER, and name what rotted, is missing or is foreign.

    The status is 0 if all is whole, else 1; 3 if only inputs have changed, 4 if no run came to its end.

    \b
    Example:
      permagrid verify out/magt --data data
    """
    from permagrid.verify import verify as verified

    found = verified(folder, data=data)
    if not quiet:
        click.echo(found.text())
    ctx.exit(found.status)


@main.command()
@click.argument("source", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    envvar="PERMAGRID_DATA",
    default=Path(),
    help="Data folder [env PERMAGRID_DATA; default: here].",
)
@click.option("--resolution", help="One of the source's resolutions [default: the coarsest].")
@click.option("--variables", help="Names of variables, with commas between them [default: all].")
@click.option(
    "--region", type=float, nargs=4, metavar="W S E N", help="Degrees; W > E crosses the antimeridian."
)
@click.option("--years", metavar="FIRST-LAST", help="Years of a series.")
@click.option("--cloud", type=click.FloatRange(0, 100), help="Most cloud in a scene [%].")
@click.option("--list", "listed", is_flag=True, help="Print all sources, or what is known of SOURCE.")
@click.option("--markdown", is_flag=True, help="Print the table of all sources for people instead.")
@click.option("--dry-run", is_flag=True, help="Print what would be fetched.")
@click.option("--keep-archives", is_flag=True, help="Keep archives beside the files taken from them.")
@click.option("--force", is_flag=True, help="Fetch files anew that are there.")
@click.option(
    "--base-url", envvar="PERMAGRID_BASE_URL", default="", help="A mirror [env PERMAGRID_BASE_URL]."
)
@_QUIET
@click.pass_context
def fetch(ctx: click.Context, /, source: str | None, quiet: bool, **options: Any) -> None:
    """Fetch a known data set, SOURCE, to the place where studies look for it.

    Files that are there are not fetched again; a fetch that was cut off goes on. Beside the files stands
    SOURCE.json with addresses, hashes, licence and citation.

    \b
    Example:
      permagrid fetch --list
      permagrid fetch worldclim2.1/bio --resolution 10m --out data
    """
    from permagrid.fetch import command

    if source is None:
        if not (options["listed"] or options["markdown"]):
            raise click.UsageError("name a SOURCE, or ask for --list")
        click.echo(command.markdown() if options["markdown"] else command.listing())
        return
    request = command.Request.of(source, **options)
    if options["listed"] or options["dry_run"]:
        click.echo(request.known() if options["listed"] else request.planned())
        return
    from rich.console import Console

    from permagrid.progress import Steps

    console = Console(stderr=True)
    shown = ctx.meta.get(VERBOSE) or (console.is_terminal and not quiet)
    done = request.fetched(Steps(console if shown else None))
    if not quiet:
        click.echo(done)


@main.command()
@_OUT
@click.option(
    "--kind",
    type=click.Choice(["region", "ground_ice"]),
    default="region",
    show_default=True,
    help="A region whose climate changes, or a hemisphere with ground ice whose total is known.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--size", type=click.IntRange(16), help="Cells per side of a region [300].")
@click.option("--resolution", type=click.FloatRange(1.0), help="Cell size [m; 5000, of a hemisphere 25000].")
@click.option("--boreholes", type=click.IntRange(8), help="Borehole sites [250, in a hemisphere 1178].")
@click.option("--faults", type=click.FloatRange(0, 1), help="Share of faulty sites of a region [0.05].")
def world(out: Path, kind: str, **given: Any) -> None:
    """Write a virtual permafrost world, with its truth, as the files that a user has.

    \b
    Example:
      permagrid world --out world --seed 7
      permagrid world --kind ground_ice --out ice_world --seed 7
    """
    from permagrid.world import write_kind

    click.echo(f"{write_kind(out, kind, **given)}; files are listed in {out / 'README.txt'}")


if __name__ == "__main__":
    sys.exit(main())
