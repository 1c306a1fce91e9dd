"""The command ``symscape``: one module a subcommand.

Exit status: 0 on success, 1 when a check fails, 2 on bad input, which is told in one line on standard error.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from symscape import __version__
from symscape.cli.collapse import collapse
from symscape.cli.derive import derive
from symscape.cli.diagnose import diagnose_command
from symscape.cli.document import document_command
from symscape.cli.export import export
from symscape.cli.figures import figure_command
from symscape.cli.list_losses import list_losses
from symscape.cli.verify import verify
from symscape.errors import SymscapeError

app = typer.Typer(
    help="Derive the loss landscape of self-supervised learning around W = 0.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"symscape {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Derive the loss landscape of self-supervised learning around W = 0."""


app.command("list")(list_losses)
app.command("diagnose")(diagnose_command)
app.command("figure")(figure_command)
app.command("document")(document_command)
for command in (derive, collapse, export, verify):
    app.command()(command)


def main() -> None:
    """Run the command; errors of input go to standard error in one line, with exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot print P² still gets the rest
    try:
        status = app(standalone_mode=False) or 0
    except SymscapeError as error:
        _fail(str(error))
    except typer.Exit as error:
        status = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        # Typer's own complaints about the command line carry a message of their own.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        _fail(f"{message().rstrip('.')}. Try: symscape --help")
    if status == 130:
        print("symscape: interrupted", file=sys.stderr)
    sys.exit(status)


def _fail(message: str) -> None:
    print("symscape: error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
