"""Publishing: release records, the pointer to the served release, and the DVID commit."""

from emseg.publish.ledger import current_release, release_of, releases
from emseg.publish.record import ReleaseRecord
from emseg.publish.release import publish_release, roll_back

__all__ = ["ReleaseRecord", "current_release", "publish_release", "release_of", "releases", "roll_back"]
