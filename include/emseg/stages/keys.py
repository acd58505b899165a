"""Stage keys: same key, same result. What a stage reads and how it computes, and nothing else, is in its key.

So a changed threshold of stitching finds the segmentation of the last run and reuses it, a changed step does not, and
nothing stale is ever taken. Run ids, clocks, tries and worker counts are in no key.
"""

from __future__ import annotations

from dataclasses import dataclass

from emseg.config.runspec import RunSpec, digest_of
from emseg.stages.code_version import code_version

KEY_DIGITS = 32

SEGMENTATION_LIBRARIES = (
    "bioimage-cpp",
    "connected-components-3d",
    "edt",
    "fastremap",
    "numba",
    "numpy",
    "onnxruntime",
    "scikit-image",
    "scipy",
    "zstandard",
)
"""Libraries whose own version may change a segmentation, or the bytes that keep it."""

WRITING = ("bricks", "chosen_cell", "complete_labelmap", "renaming", "write")
"""Files of `stages` that say what is written."""


@dataclass(frozen=True)
class StageKeys:
    """Keys of the five stages of one RunSpec, 32 hex digits each; `match`, `resolve` and `write` are one Spark job."""

    segment: str
    match: str
    resolve: str
    write: str
    evaluate: str


def code_versions() -> dict[str, str]:
    """Versions of the code behind each stage, as installed here; `resolve_run` pins them in the RunSpec."""
    return {
        "segment": code_version(
            "geometry",
            "lanes.py",
            "codec",
            "segment",
            "dvid/grayscale.py",
            "dvid/preserved.py",
            "stages/segment.py",
            libraries=SEGMENTATION_LIBRARIES,
        ),
        "match": code_version("geometry", "label_pairs.py", "codec", "stitch", "stages/match.py"),
        "resolve": code_version("stitch", "stages/resolve_bodies.py"),
        "write": code_version("geometry", "dvid", *(f"stages/{name}.py" for name in WRITING)),
        "evaluate": code_version("lanes.py", "label_pairs.py", "dvid", "evaluate", "stages/evaluate.py"),
    }


def stage_keys(spec: RunSpec) -> StageKeys:
    """The keys of a run. Each stage's key holds the key of the stage it reads, so a change runs down the line."""
    volume = spec.volume.model_dump(mode="json")
    segmentation = spec.segmentation.model_dump(mode="json")
    segment = _key("segment", spec, {"volume": volume, "segmentation": segmentation, "preserved": _preserved(spec)})
    match = _key("match", spec, {"segment": segment})
    joins = {name: getattr(spec, name).model_dump(mode="json") for name in ("stitching", "edits")}
    resolve = _key("resolve", spec, {"match": match, **joins})
    write = _key("write", spec, {"resolve": resolve, "output": spec.output.model_dump(mode="json")})
    evaluate = _key("evaluate", spec, {"write": write, "groundtruth": spec.groundtruth.model_dump(mode="json")})
    return StageKeys(segment, match, resolve, write, evaluate)


def _preserved(spec: RunSpec) -> list[object]:
    """The bodies that are not segmented, and the instance that they are in."""
    bodies = spec.output.preserve_bodies
    return [spec.output.instance, *bodies] if bodies else []


def _key(stage: str, spec: RunSpec, reads: dict[str, object]) -> str:
    document = {"stage": stage, "code": spec.code[stage], "dataset": spec.dataset, "reads": reads}
    return digest_of(document)[:KEY_DIGITS]  # type: ignore[arg-type]
