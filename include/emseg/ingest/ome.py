"""The header of an OME-TIFF: it describes a whole set of files, so it tells which of them are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from emseg.ingest.sources import refuse_source

LARGEST_HEADER = 64 << 20


def ome_header(opened: Any, file: Path) -> Element | None:
    """The header, None where the file has none; refused where it cannot be read, or lies in another file."""
    text = opened.pages[0].description
    if not opened.is_ome:
        return None
    if len(text) > LARGEST_HEADER or "<!ENTITY" in text:
        found = "its OME header is not one that a microscope writes"
        raise refuse_source(file, found, "Write the file again as plain TIFF")
    try:
        header = fromstring(text)  # noqa: S314 - no entities, and of a limited size
    except ParseError as error:
        raise refuse_source(file, f"its OME header is damaged ({error})", "Write the file again") from None
    for element in header.iter():
        if element.tag.endswith("BinaryOnly"):
            raise refuse_source(
                file,
                f"it is one file of a set that {element.get('MetadataFile')} describes",
                "Give the folder that holds the sections of the set, without other images",
            )
    return header if any(element.tag.endswith("}Pixels") for element in header.iter()) else None


def members(header: Element, file: Path) -> list[str]:
    """Names of the files of the set, `file` itself by the name it has now; refused where some are missing."""
    own = header.get("UUID")
    named = {
        file.name if element.text == own else element.get("FileName", file.name)
        for element in header.iter()
        if element.tag.endswith("}UUID")
    }
    elsewhere = sorted(name for name in named if Path(name).name != name)
    if elsewhere:
        raise refuse_source(file, f"its set has files in other folders: {elsewhere[0]}", "Put the set into one folder")
    missing = sorted(name for name in named if not (file.parent / name).is_file())
    if missing:
        raise refuse_source(
            file,
            f"it is one of a set of {len(named)} files, and {len(missing)} are missing beside it: "
            f"{', '.join(missing[:10])}{' ...' if len(missing) > 10 else ''}",
            "Copy the whole set into one folder, under the names that its header gives",
        )
    return sorted(named)
