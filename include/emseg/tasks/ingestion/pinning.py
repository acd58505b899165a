"""From what a person chose to an `IngestSpec`: the source is opened and shown, bad choices are refused."""

from __future__ import annotations

from emseg.config.ingestion import IngestParameters, IngestSpec
from emseg.ingest import VolumeSource, placed
from emseg.ingest.grayscale import gray_target
from emseg.ingest.labels import label_target
from emseg.ingest.placing import Place
from emseg.ingest.summary import summary
from emseg.ingest.targets import open_node
from emseg.phases.code_version import version_of
from emseg.phases.declaration import SHAPES_NO_RESULT
from emseg.phases.services import DvidServices
from emseg.tasks.ingestion.turns import with_turn
from emseg.tasks.ingestion.work import box_of, digest_of_source, opened


def pin_ingestion(parameters: IngestParameters, services: DvidServices) -> tuple[IngestSpec, list[tuple[str, str]]]:
    """The spec, and rows of name and value that a person reads. PermanentError for what cannot be ingested."""
    source = opened(parameters)
    place = placed(source.info, parameters.voxel_size_nm, parameters.offset_vox, parameters.overrule_file)
    node = open_node(services.server, parameters.node)
    target = (node, parameters.target, source, place.voxel_size_nm)
    if parameters.kind == "labels":
        label_target(*target, parameters.max_scale, place.offset)
    else:
        gray_target(*target, place.offset, parameters.max_scale)
    spec = IngestSpec(
        source=parameters.source,
        source_digest=digest_of_source(source),
        missing_chunks=parameters.missing_chunks,
        gaps=parameters.gaps,
        node=node.uuid,
        instance=parameters.target,
        kind=parameters.kind,
        shape_vox=tuple(source.shape),
        voxel_size_nm=place.voxel_size_nm,
        offset_vox=tuple(place.offset),
        window=parameters.window,
        max_scale=parameters.max_scale,
        code=code_version(),
    )
    rows = _rows(source, spec, place)  # reads a sample: what is damaged there is refused before the turn begins
    return with_turn(services.store, spec), rows


def code_version() -> str:
    """Version of the code that writes bricks, as installed here."""
    return version_of(("emseg.tasks.ingestion.work",), (*SHAPES_NO_RESULT, "emseg.phases.services"))


def _rows(source: VolumeSource, spec: IngestSpec, place: Place) -> list[tuple[str, str]]:
    goes_to = f"node {spec.node}, {spec.kind} {spec.instance}, scales 0 to {spec.max_scale}"
    return summary(source, box_of(spec), *place.told, goes_to)
