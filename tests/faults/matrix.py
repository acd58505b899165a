"""The faults that emseg must survive, and what must hold under each: one line a fault, at least one test a line.

A test says which line it shows: `@pytest.mark.fault("F7")`. `make faults` runs all of them at full length and prints
the table; `make test` runs them shorter. FULL says which it is.
"""

from __future__ import annotations

import os

FULL = os.environ.get("EMSEG_FAULTS") == "full"

FAULTS = {
    "F1": "The driver is killed at any point of any phase",
    "F2": "An executor or a Python worker of Spark is killed",
    "F3": "Airflow's worker dies: the retry starts while the old driver still runs",
    "F4": "Two, or eight, runs of one configuration at once",
    "F5": "Two configurations write to one instance and both publish; eight publishers",
    "F6": "A lease holder sleeps past its time and wakes up",
    "F7": "S3 refuses, breaks off or loses 1, 5 and 20 % of all requests",
    "F8": "S3 stored the object, but the reply was lost",
    "F9": "The S3 server ignores conditional writes",
    "F10": "DVID answers 5xx, hangs, or sends half a body",
    "F11": "DVID refuses: locked node, no right, unknown UUID; a branch moves during the run",
    "F12": "DVID or S3 is killed while it is written to",
    "F13": "Stored bytes change: flips, cuts, another object in its place",
    "F14": "A marker without its artefact, an edited manifest, a marker of another version",
    "F15": "No space is left where a server or emseg writes",
    "F16": "A subvolume needs more memory than there is",
    "F17": "Grayscale that is blank, saturated, shifted, missing or of another type",
    "F18": "A step raises, hangs, or returns the wrong thing",
    "F19": "Configurations that cannot work",
    "F20": "Ids at the edges of 24, 48, 53 and 64 bits",
    "F21": "A good segmentation gets merges and splits",
    "F22": "The alert channel is down, slow or refuses",
    "F23": "Great Expectations or the pages of the report fail",
    "F24": "A kill between gate and publication, and inside publication",
    "F25": "Clocks that are wrong, odd run ids, runs out of order",
    "F26": "The scheduler restarts; tasks are cleared in odd orders",
    "F27": "Speculation, other partitions, 1 to 4 cores",
    "F28": "Documents of an earlier version",
    "F29": "DVID is slow, busy or full, and many processes of many runs ask it at once",
}
