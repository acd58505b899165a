"""The file of services: for a driver in the cluster, whose environment everybody can see."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.config.connections import dvid_connection, s3_connection, without_services
from emseg.errors import PermanentError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "services"
    path.write_text(
        "# of the deployment\nEMSEG_DVID_URL=http://dvid:8000\n\nEMSEG_S3_BUCKET=neurons\nAWS_SECRET_ACCESS_KEY=a=b#c\n"
    )
    path.chmod(0o400)
    return path


def test_a_process_finds_its_services_in_the_file_and_its_environment_goes_before_it(file: Path) -> None:
    """Kills a value that is cut at `=` or `#`, and a file that overrules what a process was told."""
    given = {"EMSEG_SERVICES_FILE": str(file), "EMSEG_S3_BUCKET": "other"}
    assert dvid_connection(given).url == "http://dvid:8000"
    s3 = s3_connection(given)
    assert s3.bucket == "other"
    assert s3.secret_key is not None
    assert s3.secret_key.get_secret_value() == "a=b#c"


def test_a_file_that_everybody_may_read_is_refused(file: Path) -> None:
    """Kills keys that each user of a node of the cluster can take."""
    file.chmod(0o444)
    with refused(PermanentError, str(file), "everybody may use it", "0400"):
        s3_connection({"EMSEG_SERVICES_FILE": str(file)})


@pytest.mark.parametrize("text", ["canary", "CANARY=canary", "export EMSEG_DVID_URL=canary"])
def test_a_wrong_line_is_refused_and_not_shown(file: Path, text: str) -> None:
    """Kills a secret in an error: a line that is no variable may be half of one."""
    file.chmod(0o600)
    file.write_text(text)
    with refused(PermanentError, str(file), "1 lines are no variable") as caught:
        s3_connection({"EMSEG_SERVICES_FILE": str(file)})
    assert "canary" not in str(caught.value).lower()


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with refused(PermanentError, str(tmp_path / "gone"), "FileNotFoundError"):
        s3_connection({"EMSEG_SERVICES_FILE": str(tmp_path / "gone")})


def test_the_child_of_a_step_is_not_told_where_it_is() -> None:
    assert without_services({"EMSEG_SERVICES_FILE": "/etc/emseg/services", "HOME": "/root"}) == {"HOME": "/root"}
