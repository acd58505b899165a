"""Publish a result that passed the gate: commit its DVID node, record the release, serve it.

The order makes a stop at any point harmless: the old release is served until the last step, and the same call again
goes on from where it stopped. Going back to an earlier release is a new release of the same node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from emseg.config.approval import Approval
from emseg.dvid import Node
from emseg.dvid.nodes import RELEASE_LINE
from emseg.errors import IntegrityError, PermanentError
from emseg.publish.chain import claimed, keep_copy, release_of, releases, serve, served_release
from emseg.publish.in_dvid import record_line
from emseg.publish.mending import require_whole
from emseg.publish.record import ReleaseRecord
from emseg.quality import Verdict
from emseg.store import ObjectStore


def publish_release(
    store: ObjectStore,
    node: Node,
    verdict: Verdict,
    *,
    fingerprint: str,
    root: str,
    branch: str,
    instance: str,
    before_commit: Callable[[], object],
    approval: Approval | None = None,
) -> ReleaseRecord:
    """Release labelmap `instance` of `node`, whose key of phase `write` is `fingerprint`, and return its record.

    `root` and `branch` are those of the node; they are not asked for, because a twin may be committing it.

    `before_commit` checks that the node still holds the result, and raises where it does not: then nothing is
    committed. The record says who gave the `approval`. A result that was released before keeps its record, and nothing
    is committed either. PermanentError when the verdict did not pass or is about another result, when another release
    than the one it was compared with came last, when the instance is unknown, or when the node was committed as
    something else.
    """
    _check_verdict(verdict, fingerprint)
    with _mended(store, verdict.dataset):
        record = release_of(store, verdict.dataset, fingerprint)
        if record is None and verdict.replaces is not None:
            _check_last(verdict, releases(store, verdict.dataset))
    if record is None:
        _require_instance(node, instance)
        place = {"root": root, "branch": branch, "uuid": node.uuid, "instance": instance}
        draft = partial(_draft, verdict=verdict, place=place, approval=approval)
        _commit(node, verdict, before_commit, record_line(draft(1, ())))
    with _mended(store, verdict.dataset):
        if record is None:
            record = claimed(store, verdict.dataset, partial(_after_last, verdict=verdict, draft=draft))
            keep_copy(store, record)
        serve(store, record)
    return record


def roll_back(store: ObjectStore, dataset: str, number: int, by: str, why: str) -> ReleaseRecord:
    """Serve release `number` again, as a new release that says `by` whom and `why`.

    PermanentError for an unknown number. Where the last release is that one, or a rollback to it, nothing is added.
    """
    with _mended(store, dataset):  # damage is noticed before there is a new number
        known, _ = releases(store, dataset), served_release(store, dataset)
    if number not in {release.number for release in known}:
        raise PermanentError(
            "rolling back",
            f"dataset {dataset}, release {number}",
            "there is no such release",
            f"List the releases: emseg status {dataset}",
        )
    record = claimed(store, dataset, partial(_restored, wanted_number=number, by=by, why=why))
    keep_copy(store, record)
    serve(store, record)
    return record


@contextmanager
def _mended(store: ObjectStore, dataset: str) -> Iterator[None]:
    """Where the block finds a damaged record, the store's copies mend it for the next try."""
    try:
        yield
    except IntegrityError:
        require_whole(store, dataset)
        raise


def _check_verdict(verdict: Verdict, fingerprint: str) -> None:
    if not verdict.passed:
        raise PermanentError(
            "publishing",
            f"dataset {verdict.dataset}, run {verdict.run}",
            f"the quality gate failed: {'; '.join(verdict.reasons)}",
            "Improve the result, or have the gate policy of the dataset file changed and run the gate again",
        )
    if verdict.fingerprint != fingerprint:
        raise PermanentError(
            "publishing",
            f"dataset {verdict.dataset}, fingerprint {fingerprint}",
            f"the verdict is about fingerprint {verdict.fingerprint}",
            "Run the gate for the result that is to be published",
        )


def _check_last(verdict: Verdict, earlier: Sequence[ReleaseRecord]) -> None:
    """What was compared with one release must not replace another one, which may be better."""
    last = earlier[-1].fingerprint if earlier else ""
    if verdict.replaces in (None, last) or verdict.fingerprint in {each.fingerprint for each in earlier}:
        return
    raise PermanentError(
        "publishing",
        f"dataset {verdict.dataset}, run {verdict.run}",
        f"release {len(earlier)} came last, and this result was compared with {verdict.replaces or 'no release'}",
        "Clear the task `pin` of the run with Downstream: all that is computed is found again, and the result is "
        "compared with that release",
    )


def _require_instance(node: Node, instance: str) -> None:
    if not node.has(instance):
        raise PermanentError(
            "publishing", f"node {node.uuid}, instance {instance}", "no such instance", "Run the task `stitch` first"
        )


def _commit(node: Node, verdict: Verdict, before_commit: Callable[[], object], record: str) -> None:
    """Lock the node, or find it locked with the line of this very result in its log."""
    line = RELEASE_LINE + verdict.fingerprint
    figures = ", ".join(f"{name} {value:.4g}" for name, value in sorted(verdict.figures.items()))
    if not node.is_locked():
        before_commit()
        try:
            node.commit(f"{line}, dataset {verdict.dataset}", [line, f"emseg run {verdict.run}: {figures}", record])
        except PermanentError:
            # Another publisher of the same result may have come first; its log line, read below, tells.
            if not node.is_locked():
                raise
    if not node.is_released_as(verdict.fingerprint):
        info = node.info()
        raise PermanentError(
            "publishing",
            f"node {node.uuid}, branch {info.branch!r}",
            f"it was committed before as {info.note!r}, and not as fingerprint {verdict.fingerprint}"
            + (f"; the branch went on to {', '.join(info.children)}" if info.children else ""),
            "Write the result to a branch of its own and publish that",
        )


def _draft(
    number: int,
    earlier: tuple[ReleaseRecord, ...],
    *,
    verdict: Verdict,
    place: Mapping[str, str],
    approval: Approval | None,
) -> ReleaseRecord:
    for release in earlier:
        if release.fingerprint == verdict.fingerprint:
            return release
    return ReleaseRecord(
        number=number,
        dataset=verdict.dataset,
        **place,
        fingerprint=verdict.fingerprint,
        run=verdict.run,
        figures=verdict.figures,
        has_groundtruth=verdict.has_groundtruth,
        supersedes=earlier[-1].uuid if earlier else None,
        approved_by=approval and approval.by,
        why=approval and approval.why,
    )


def _after_last(
    number: int, earlier: tuple[ReleaseRecord, ...], *, verdict: Verdict, draft: Callable[..., ReleaseRecord]
) -> ReleaseRecord:
    _check_last(verdict, earlier)
    return draft(number, earlier)


def _restored(
    number: int, earlier: tuple[ReleaseRecord, ...], *, wanted_number: int, by: str, why: str
) -> ReleaseRecord:
    wanted, last = earlier[wanted_number - 1], earlier[-1]
    if last.uuid == wanted.uuid and last.fingerprint == wanted.fingerprint:
        return last
    told = {"approved_by": by, "why": why}
    return wanted.model_copy(update={"number": number, "supersedes": last.uuid, "restores": wanted_number, **told})
