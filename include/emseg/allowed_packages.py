"""What installed packages add to emseg, by entry points, as far as the deployment allows each package by name.

Example: `EMSEG_STEP_PACKAGES=emseg-gradient-boundary` lets the steps of that package in. No other package is imported,
so no installed package enters a run by itself. Planner and workers need the same value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from emseg.errors import PermanentError


@dataclass(frozen=True)
class Offer:
    """One entry point of an allowed package; `package` is its name and version, `NAME==VERSION`."""

    entry: EntryPoint
    package: str
    what: str

    def loaded(self) -> Any:
        """What the entry point names; PermanentError, which names the package, where it cannot be imported."""
        try:
            return self.entry.load()
        except (Exception, SystemExit) as error:
            # Code of others fails in any way; the message must name the package.
            remedy = "Mend the package, or take it off the allow-list"
            raise self.refused(f"{type(error).__name__}: {error}", remedy) from error

    def refused(self, found: str, remedy: str) -> PermanentError:
        """The error that names package and entry point."""
        on = f"{self.package}, entry point {self.entry.name}"
        return PermanentError(f"loading the {self.what} of a package", on, found, remedy)


def allowed_packages(variable: str, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The packages that a variable lists, divided by commas: sorted, each in the spelling of `_one_spelling`."""
    names = environment.get(variable, "").split(",")
    return tuple(sorted({_one_spelling(name) for name in names if name.strip()}))


def offers(group: str, what: str, allowed: tuple[str, ...]) -> Iterator[Offer]:
    """The entry points of the allowed packages in a group, in an order that does not depend on the installation."""
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.value):
        if entry.dist is not None and _one_spelling(entry.dist.name) in allowed:
            yield Offer(entry, f"{entry.dist.name}=={entry.dist.version}", what)


def told_packages(group: str, variable: str) -> str:
    """For a message: which packages are allowed, and which are installed and not; none of them is imported."""
    allowed = allowed_packages(variable)
    names = {_one_spelling(entry.dist.name) for entry in entry_points(group=group) if entry.dist is not None}
    rest = ", ".join(sorted(names.difference(allowed)))
    return f"allowed packages ({variable}): {', '.join(allowed) or 'none'}; installed, not allowed: {rest or 'none'}"


def _one_spelling(name: str) -> str:
    """The normal form of a package name: `Emseg_Gradient.Boundary` is `emseg-gradient-boundary` (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
