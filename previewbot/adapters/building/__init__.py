"""What every builder shares that calls a command: turns, the time limit, the log, and reading what the command says.

It knows no builder. An adapter gives ``Jobs`` one function that turns a checked-out commit into an image, and keeps to
itself where its images live.
"""

from previewbot.adapters.building.command import leash, run
from previewbot.adapters.building.inputs import Inputs
from previewbot.adapters.building.jobs import Job, Jobs

__all__ = ["Inputs", "Job", "Jobs", "leash", "run"]
