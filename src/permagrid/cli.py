"""The command line: thin commands that parse, call one function, and print."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from permagrid import __version__
from permagrid.cli_sources import fetch, new, schema, world
from permagrid.commands import VERBOSE, Commands
from permagrid.errors import StudyError

if TYPE_CHECKING:
    from rich.console import Console

    from permagrid.executors import Executor
    from permagrid.progress import Steps

_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="PERMAGRID_DATA",
    help="Folder from which the study's relative paths start [env PERMAGRID_DATA; default: the study's own].",
)
_STUDY = click.argument("study", type=click.Path(path_type=Path))
_OUT = click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
_WORKERS = click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Threads.")
_BLOCK = click.option(
    "--block", default="512", show_default=True, help="Cells per side of a block, or ROWSxCOLUMNS of it."
)
_SCHEDULER = click.option(
    "--scheduler",
    envvar="DASK_SCHEDULER_ADDRESS",
    help="Make maps by the workers of the Dask scheduler at this address [env DASK_SCHEDULER_ADDRESS].",
)
_MEMORY = click.option(
    "--memory", help="Memory that the run may take, such as 4GiB: blocks are made smaller and fewer for it."
)
_SLURM = click.option(
    "--slurm", type=click.IntRange(1), metavar="JOBS", help="Make maps by so many jobs of SLURM."
)


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
@_WORKERS
@_BLOCK
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what it would cost: fits, how many are done, time, maps. Only the covariate stack is made.",
)
@_SCHEDULER
@click.option(
    "--prepare", is_flag=True, help="Do all that comes before the maps, for --shard of job arrays to go on."
)
@click.option("--shard", metavar="I/N", help="Make every N-th block of all maps, from the I-th; status 4.")
@_MEMORY
@_SLURM
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
    steps = _steps(ctx, quiet)
    from permagrid.grid import parse_block

    side = parse_block(block)
    if memory is not None and (prepare or shard is not None):
        raise click.UsageError("--memory chooses --block by itself, which must be the same for all parts")
    size = _size(memory)
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
    _tell_notes(ctx, steps, quiet)
    if not quiet:
        from permagrid.show import show_run

        click.echo(show_run(folder))


def _shown(ctx: click.Context, quiet: bool) -> "Console | None":
    """Return where progress is shown, if anywhere."""
    from rich.console import Console

    console = Console(stderr=True)
    return console if ctx.meta.get(VERBOSE) or (console.is_terminal and not quiet) else None


def _steps(ctx: click.Context, quiet: bool) -> "Steps":
    from permagrid.progress import Steps

    return Steps(_shown(ctx, quiet))


def _tell_notes(ctx: click.Context, steps: "Steps", quiet: bool) -> None:
    """Print notes that were not shown on the way."""
    if not quiet and _shown(ctx, quiet) is None:
        for note in steps.notes:
            click.echo(f"note: {note}", err=True)


def _size(memory: str | None) -> int | None:
    """Return the bytes that a text names; None for none."""
    if memory is None:
        return None
    from permagrid.steps.memory import parse_size

    return parse_size(memory)


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
@click.argument("model", type=click.Path(path_type=Path))
@_STUDY
@_OUT
@_DATA
@_WORKERS
@_BLOCK
@_SCHEDULER
@_MEMORY
@_SLURM
@_QUIET
@click.pass_context
def predict(
    ctx: click.Context,
    model: Path,
    study: Path,
    out: Path,
    data: Path | None,
    workers: int,
    block: str,
    scheduler: str | None,
    memory: str | None,
    slurm: int | None,
    quiet: bool,
) -> None:
    """Draw the maps of STUDY by a MODEL that a run left, here or on another machine.

    Only grid, epochs and covariates of STUDY are read; nothing is fitted.

    \b
    Example:
      permagrid predict out/magt/models/random_forest studies/arctic_magt.yaml --data data --out north
    """
    from permagrid.grid import parse_block
    from permagrid.predict import Means
    from permagrid.predict import predict as draw

    steps = _steps(ctx, quiet)
    with _executor(scheduler, slurm) as executor:
        means = Means(workers, parse_block(block), _size(memory), executor)
        made = draw(model, study, out, data=data, means=means, steps=steps)
    _tell_notes(ctx, steps, quiet)
    if not quiet:
        click.echo("\n".join(map(str, made)))


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
@_WORKERS
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

    findings = review.review(study, data=data, out=out, workers=workers, steps=_steps(ctx, quiet))
    if report is not None:
        review.write_findings(report, study.name, findings)
    if not quiet:
        review.show_findings(findings, Console())
    if any(finding.severity == "fatal" for finding in findings):
        ctx.exit(1)


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


for command in (new, schema, fetch, world):
    main.add_command(command)

if __name__ == "__main__":
    sys.exit(main())
