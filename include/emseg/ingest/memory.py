"""What a header promises, held against the memory of this computer before anything is allocated."""

from __future__ import annotations

import psutil

from emseg.errors import PermanentError


def require_memory(needed: int, doing: str, on: str) -> None:
    """PermanentError where `needed` bytes are more than are free: a damaged or hostile header may promise any size."""
    free = int(psutil.virtual_memory().available)
    if needed > free:
        raise PermanentError(
            doing,
            on,
            f"its header promises {needed / 2**30:.1f} GiB at once, and {free / 2**30:.1f} GiB of memory are free",
            "Check that the file is what it should be; then use a computer with more memory, or a smaller part of it",
        )
