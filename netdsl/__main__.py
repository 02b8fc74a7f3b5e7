"""`python -m netdsl` is the command line."""

from netdsl.cli import main

main(prog_name="netdsl")
