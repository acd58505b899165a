"""Publishing: release records, the pointer to the served release, and the DVID commit."""

from emseg.publish.chain import release_of, releases, served_release
from emseg.publish.record import ReleaseRecord
from emseg.publish.release import publish_release, roll_back

__all__ = ["ReleaseRecord", "publish_release", "release_of", "releases", "roll_back", "served_release"]
