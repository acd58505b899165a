"""What the author of a metric runs."""

from emseg_fragments import Fragments

from emseg.authoring.metric_conformance import check_metric


def test_the_metric_keeps_its_promises():
    check_metric(Fragments)
