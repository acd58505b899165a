"""Drivers that are killed at any point, started twice, put to sleep, or run at once: the result is that of one."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from tests.faults.conftest import ALL, PATIENCE_S, FaultRun, FaultStack, ended, tried_again
from tests.faults.driver import POINTS
from tests.faults.matrix import FULL

from emseg.phases import phases
from emseg.publish import releases, served_release

pytestmark = pytest.mark.services

OF_ONE_ITEM = ("resolve", "write")
"""Phases that have one item in the volume of these tests, so no middle."""

Figure = Callable[[str], None]


@pytest.mark.fault("F1")
def test_killed_at_every_point_of_every_phase_a_run_ends_with_the_same_bytes_and_repeats_no_committed_item(
    faults: FaultStack, undisturbed: dict[str, str], figure: Figure
):
    """Kills a marker before its artefacts, a phase marker that is believed too early, and a retry from scratch."""
    run = faults.run()
    kills, before = 0, {}
    for number, phase in enumerate(phases()):
        up_to = ALL[: ALL.index(phase.stage.name) + 1]
        points = [point for point in POINTS if point != "middle" or phase.name not in OF_ONE_ITEM]
        for point in points if FULL else points[number : number + 1]:
            died = run.drive(*up_to, EMSEG_TEST_DIE_AT=f"{phase.name}:{point}")
            assert died.code == -signal.SIGKILL, (phase.name, point, died.said)
            kills += 1
            committed = run.committed()
            assert {item: committed[item] for item in before} == before, "a committed item was computed again"
            before = committed
    last = run.drive(*ALL)
    assert last.code == 0, last.said
    assert run.digests() == undisturbed
    figure(f"{kills} kills in {len(phases())} phases, all resumed, 0 committed items redone")


@pytest.mark.fault("F3")
@pytest.mark.fault("F4")
def test_drivers_of_one_run_at_once_leave_the_bytes_of_one(
    faults: FaultStack, undisturbed: dict[str, str], figure: Figure
):
    """Kills two commits of one phase, a loser that fails, and mappings that two writers post."""
    run, rivals = faults.run(), 8 if FULL else 2
    drivers = [run.start(*ALL) for _ in range(rivals)]
    outcomes = [tried_again(run, driver) for driver in drivers]
    assert [outcome.code for outcome in outcomes] == [0] * rivals, [outcome.said for outcome in outcomes]
    assert run.digests() == undisturbed
    assert len(releases(run.services.store, run.folder.dataset)) == 1
    figure(f"{rivals} drivers of one run at once: all end well, 1 commit, 1 release")


@pytest.mark.long
@pytest.mark.fault("F4")
def test_runs_of_one_configuration_at_once_share_one_result(
    faults: FaultStack, undisturbed: dict[str, str], figure: Figure
):
    """Kills a result that belongs to a run: other runs of the same configuration would compute and release it again."""
    first, others = faults.run(), 7 if FULL else 1
    runs = [first, *(faults.run(first.folder.dataset) for _ in range(others))]
    outcomes = [tried_again(run, driver) for run, driver in [(run, run.start(*ALL)) for run in runs]]
    assert {outcome.code for outcome in outcomes} == {0}, [outcome.said for outcome in outcomes]
    assert all(run.digests() == undisturbed for run in runs)
    assert len(releases(first.services.store, first.folder.dataset)) == 1
    figure(f"{len(runs)} runs of one configuration at once: 1 result, 1 release")


@pytest.mark.long
@pytest.mark.fault("F5")
def test_two_configurations_that_write_one_instance_both_publish_one_after_the_other(
    faults: FaultStack, figure: Figure
):
    """Kills a node that two results share, and a publisher that overwrites the release of another."""
    one = faults.run(stitch="none")
    two = faults.run(one.folder.dataset, stitch="medium")
    outcomes = [ended(driver) for driver in [one.start(*ALL), two.start(*ALL)]]
    assert [outcome.code for outcome in outcomes] == [0, 0], [outcome.said for outcome in outcomes]
    chain = releases(one.services.store, one.folder.dataset)
    assert [release.number for release in chain] == [1, 2]
    assert len({release.uuid for release in chain}) == 2
    assert served_release(one.services.store, one.folder.dataset) == chain[-1]
    alone = [faults.run(stitch=mode) for mode in ("none", "medium")]
    for run, reference in zip((one, two), alone, strict=True):
        assert reference.drive("segment", "stitch", "evaluate").code == 0
        assert run.digests() == reference.digests()
    figure("2 configurations into one instance: 2 nodes, releases 1 and 2, bytes as alone")


@pytest.mark.fault("F6")
def test_a_driver_that_sleeps_in_the_middle_does_no_harm_when_it_wakes(
    faults: FaultStack, undisturbed: dict[str, str], figure: Figure
):
    """Kills a late commit that is believed beside the one of the driver that took over."""
    run = faults.run()
    sleeper = run.start(*ALL)
    _wait_for_items(run, "segment", 1)
    sleeper.send_signal(signal.SIGSTOP)
    other = run.drive(*ALL)
    sleeper.send_signal(signal.SIGCONT)
    woken = ended(sleeper)
    assert (other.code, woken.code) == (0, 0), other.said + woken.said
    assert run.digests() == undisturbed
    assert len(releases(run.services.store, run.folder.dataset)) == 1
    figure("a driver asleep from its first item on: the other ends the run, the sleeper finds it done")


def _wait_for_items(run: FaultRun, phase: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(run.context().folder(phase).done_items()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
