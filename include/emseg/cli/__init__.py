"""The command line; `emseg.cli.main` puts the commands together."""
