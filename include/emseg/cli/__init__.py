"""The command line: `on_demand.py` lists the commands, a module for each topic holds them, `main.py` runs them."""
