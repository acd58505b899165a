from __future__ import annotations

import pytest
import requests

from emseg.dvid import DvidServer, Grayscale, Node, create_repo
from emseg.errors import PermanentError
from emseg.links import instance_address, node_address
from emseg.links.addresses import checked_server

UUID = "3f" * 16


@pytest.mark.services
def test_the_addresses_answer_on_a_real_server(devstack):
    root = create_repo(DvidServer(devstack.dvid), "links", "test")
    Grayscale(Node(DvidServer(devstack.dvid), root), "grayscale").create((8, 8, 8))
    assert root in requests.get(node_address(devstack.dvid.url, root), timeout=10).json()["DAG"]["Nodes"]
    about = requests.get(instance_address(devstack.dvid.url, root, "grayscale"), timeout=10).json()
    assert about["Base"]["TypeName"] == "uint8blk"


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@dvid:8000",
        "http://dvid:8000?admintoken=secret",
        "dvid:8000",
        "file:///secret",
        "",
        "https://#secret",
        "http://[secret",
    ],
)
def test_a_server_address_that_would_give_something_away_is_refused(url):
    """Kills links that carry a password to everybody who reads the report."""
    with pytest.raises(PermanentError) as refused:
        checked_server(url)
    assert "secret" not in str(refused.value)


def test_names_cannot_leave_their_place_in_the_address():
    assert instance_address("http://dvid:8000/", UUID, "a/../b?c").endswith(f"/api/node/{UUID}/a%2F..%2Fb%3Fc/info")
