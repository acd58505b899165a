"""What a devstack remembers between calls: pids and ports, in `devstack.json` of its folder. No secrets."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from emseg.devstack.files import write_private


class State(BaseModel):
    """Pids (believed only with the mark of `processes`) and ports; ports outlive a stop, so that links stay valid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dvid_pid: int | None = None
    dvid_port: int | None = None
    dvid_rpc_port: int | None = None
    s3_pid: int | None = None
    s3_port: int | None = None

    @classmethod
    def read(cls, root: Path) -> State:
        """The state of the devstack in `root`; empty if there is none, or one that cannot be read."""
        path = root / "devstack.json"
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError:
            return cls()

    def write(self, root: Path) -> None:
        """Replace `devstack.json` in one step."""
        write_private(root / "devstack.json", self.model_dump_json(indent=1))
