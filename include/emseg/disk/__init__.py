"""Files and folders that are replaced whole or not at all, and what a person reads when a disk refuses.

write_whole(Path("report.json"), b"{}")             # the old report, or the new one; never a part of one
with replacing_folder(Path("model")) as folder: ... # the same for a folder of files that belong together
"""

from emseg.disk.faults import disk_fault, telling_faults
from emseg.disk.partial import partial_file, remove_leftovers
from emseg.disk.scratch import remove_scratch, scratch_folder
from emseg.disk.told import told_path
from emseg.disk.whole import replacing_folder, write_whole

__all__ = [
    "disk_fault",
    "partial_file",
    "remove_leftovers",
    "remove_scratch",
    "replacing_folder",
    "scratch_folder",
    "telling_faults",
    "told_path",
    "write_whole",
]
