"""Commands that bring what a study needs: a file to start from, data, a virtual world."""

from pathlib import Path
from typing import Any

import click

from permagrid.commands import VERBOSE, Command

_OUT = click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


@click.command(cls=Command)
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


@click.command(cls=Command)
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


@click.command(cls=Command)
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


@click.command(cls=Command)
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
