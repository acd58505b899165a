"""Who calls a command, and why: what release records keep of people."""

from __future__ import annotations

import os
import pwd

import typer

from emseg.child_environment import has_name
from emseg.config.approval import MAX_WHY


def user_name() -> str:
    """Name of the user of this process, as the operating system knows him and not as his shell says."""
    return pwd.getpwuid(os.getuid()).pw_name if has_name() else f"uid{os.getuid()}"


def checked_reason(why: str) -> str:
    """The reason, without blanks around it; a usage error for an empty or a long one."""
    if not 0 < len(why.strip()) <= MAX_WHY:
        raise typer.BadParameter(f"say why, in 1 to {MAX_WHY} characters")
    return why.strip()
