"""One machine with a Docker-compatible engine: it builds the images and runs the releases.

The rest of previewbot sees ``ports.Builder`` and ``ports.Runtime``. Whatever does not carry this instance's labels is
never adopted, changed or deleted.
"""

from previewbot.adapters.docker.builder import DockerBuilder
from previewbot.adapters.docker.drawing import draw
from previewbot.adapters.docker.engine import Engine, connect, describe
from previewbot.adapters.docker.labels import Names
from previewbot.adapters.docker.limits import Limits
from previewbot.adapters.docker.runtime import DockerRuntime

__all__ = ["DockerBuilder", "DockerRuntime", "Engine", "Limits", "Names", "connect", "describe", "draw"]
