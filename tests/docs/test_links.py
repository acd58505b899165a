"""Links between the documents lead somewhere: to a file, and to a heading in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.documents import DOCUMENTS, PROJECT, Document


def fault(each: Document, link: str) -> str:
    """What is wrong with a link; those to other hosts are not followed."""
    if link.startswith("https://"):
        return ""
    name, _, anchor = link.partition("#")
    target = (each.path.parent / name).resolve() if name else each.path
    if not target.is_relative_to(PROJECT) or not target.exists():
        return f"{link}: there is no such file"
    return f"{link}: no such heading" if anchor and anchor not in Document(target).anchors else ""


@pytest.mark.parametrize("each", DOCUMENTS, ids=lambda each: each.name)
def test_links_lead_somewhere(each: Document) -> None:
    assert [found for link in each.links if (found := fault(each, link))] == []


def test_every_document_is_reached_from_the_first_page() -> None:
    """Kills a page that nobody finds."""
    first, *others = DOCUMENTS
    reached = {(first.path.parent / link.partition("#")[0]).resolve() for link in first.links}
    assert {each.path for each in others} <= reached


def test_every_picture_is_shown() -> None:
    shown = {(each.path.parent / link).resolve() for each in DOCUMENTS for link in each.links if link.endswith(".png")}
    assert shown == set((PROJECT / "docs" / "pictures").iterdir())


@pytest.mark.parametrize("wrong", ["glossary.md#nothing", "nowhere.md", "#nothing", "../../outside.md"])
def test_a_link_to_nothing_is_noticed(wrong: str) -> None:
    each = Document(Path(PROJECT / "docs" / "architecture.md"))
    assert fault(each, wrong)
    assert not fault(each, "glossary.md#a-run")
