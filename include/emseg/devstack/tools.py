"""The two server programs, built from source once: DVID v1.0.0 and the S3 server versitygw v1.8.0.

Sources are the Go modules that the `go.mod` files beside this module name; their `go.sum` files hold the hash of
every module, and `-mod=readonly` refuses any other. A binary is named by version and digest of its inputs, so a second
call does no work, and a changed input is never served by an old binary.
"""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from emseg.child_environment import for_devstack
from emseg.devstack.files import locked, tail
from emseg.devstack.toolchain import Toolchain, find_toolchain
from emseg.errors import PermanentError

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Tool:
    """A program to build: the folder with its `go.mod` and `go.sum`, the package, and how to compile it."""

    name: str
    version: str
    sources: Path
    package: str
    cgo: bool
    flags: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """Version and digest of sources, flags and platform, e.g. `dvid-v1.0.0-3f2a9c01d4e5`."""
        digest = sha256(repr((self.package, self.cgo, self.flags, platform.system(), platform.machine())).encode())
        for source in sorted(path for path in self.sources.iterdir() if path.suffix in {".go", ".mod", ".sum"}):
            digest.update(f"{source.name}\0".encode() + source.read_bytes())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"


_NO_DEBUG_DATA = "-gcflags=all=-dwarf=false"
"""The linker (-s -w) leaves it out, so the compiler need not make it."""

DVID = Tool(
    name="dvid",
    version="v1.0.0",
    sources=_FOLDER / "dvid",
    package=".",
    cgo=True,  # its lz4 binding is C
    flags=("-tags=badger", _NO_DEBUG_DATA, "-ldflags=-s -w -X github.com/janelia-flyem/dvid/server.gitVersion=v1.0.0"),
)
VERSITYGW = Tool(
    name="versitygw",
    version="v1.8.0",
    sources=_FOLDER / "versitygw",
    package="github.com/versity/versitygw/cmd/versitygw",
    cgo=False,
    flags=(_NO_DEBUG_DATA, "-ldflags=-s -w"),
)


def built(tool: Tool, tools: Path) -> Path:
    """Path of the program in folder `tools`; builds it first where it is missing (about a minute). Safe in parallel.

    Raises PermanentError with the end of the build log when the build fails.
    """
    binary = tools.resolve() / tool.file_name
    if binary.is_file():
        return binary
    with locked(tools / f"{tool.name}.lock"):
        if not binary.is_file():
            _build(tool, binary, find_toolchain(tools, tool.cgo))
    return binary


def _build(tool: Tool, binary: Path, toolchain: Toolchain) -> None:
    partial, log = binary.with_name(f"{binary.name}.partial"), binary.with_name(f"{binary.name}.log")
    command = [
        toolchain.go,
        "build",
        "-mod=readonly",
        "-trimpath",
        "-buildvcs=false",
        *tool.flags,
        "-o",
        str(partial),
        tool.package,
    ]
    environment = {
        **for_devstack(os.environ),
        **toolchain.environment,
        "CGO_ENABLED": str(int(tool.cgo)),
        "GOWORK": "off",
    }
    with log.open("wb") as output:
        status = subprocess.call(command, cwd=tool.sources, env=environment, stdout=output, stderr=subprocess.STDOUT)
    if status != 0:
        partial.unlink(missing_ok=True)
        raise PermanentError(
            f"building {tool.name} {tool.version}",
            f"log {log}",
            f"go build ended with {status}; the log ends:\n{tail(log)}\n",
            "Check that the Go module proxy (go env GOPROXY) can be reached, then try again",
        )
    partial.replace(binary)
