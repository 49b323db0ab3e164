"""How commands behave: every mistake in one line, a status that tells its kind, and -v for all."""

import logging
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import click

from permagrid.errors import PermagridError, StudyError

VERBOSE = "permagrid.verbose"


class Command(click.Command):
    """A command with the option ``-v``, which all have."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.params.append(
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                callback=_note_verbose,
                help="Show warnings, each step, and the traceback of an internal error.",
            )
        )


def _note_verbose(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    ctx.meta[VERBOSE] = value
    if value:
        logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO, force=True)
        for kind in (UserWarning, RuntimeWarning):
            warnings.simplefilter("default", kind)


class Commands(click.Group):
    """Shows mistakes that a user can mend in one line each, and exits with status 2."""

    command_class = Command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with warnings.catch_warnings():
                # What a user must know is an error or stands in the report; the rest is for developers.
                warnings.simplefilter("ignore")
                # Threads of other packages lose the filters of this one.
                warnings.showwarning = _shown_if(ctx)
                if not logging.getLogger().handlers:
                    logging.getLogger().addHandler(logging.NullHandler())
                return super().invoke(ctx)
        except StudyError as error:
            _tell(*map(str, error.faults))
            status = 2
        except PermagridError as error:
            _tell(str(error))
            status = error.status
        except KeyboardInterrupt:
            click.echo("interrupted; kept steps are reused by the next run", err=True)
            status = 130
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        # The last line of defence: whatever else comes is told in one line, too.
        except Exception as error:  # noqa: BLE001
            if ctx.meta.get(VERBOSE):
                click.echo(traceback.format_exc(), err=True)
            _tell(_failure(error))
            status = 1
        return ctx.exit(status)


def _shown_if(ctx: click.Context) -> Callable[..., None]:
    """Return what shows warnings if the user asked for them."""
    show = warnings.showwarning

    def shown(*args: Any, **keywords: Any) -> None:
        if ctx.meta.get(VERBOSE):
            show(*args, **keywords)

    return shown


def _tell(*messages: str) -> None:
    """Print one line for each message, none of which can reach into the terminal."""
    for message in messages:
        line = " ".join(message.splitlines())
        shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)
        click.echo(f"error: {shown}", err=True)


def _failure(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "the memory does not suffice; use a smaller --block or fewer --workers"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return f"internal error, a bug in permagrid ({type(error).__name__}: {error}); -v shows the traceback"
