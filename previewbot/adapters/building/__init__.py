"""What builders share that call a command: turns, the time limit, the log, what the command says, and trying again.

It knows no builder. An adapter gives ``Jobs`` one function that turns a checked-out commit into an image, and keeps to
itself where its images live.
"""

from previewbot.adapters.building.command import leash, run
from previewbot.adapters.building.inputs import Inputs
from previewbot.adapters.building.jobs import DISK_FULL, Job, Jobs
from previewbot.adapters.building.setbacks import Setbacks
from previewbot.adapters.building.troubles import UNWELL, short

__all__ = ["DISK_FULL", "UNWELL", "Inputs", "Job", "Jobs", "Setbacks", "leash", "run", "short"]
