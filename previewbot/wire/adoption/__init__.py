"""What a repository has of others (Dockerfiles, Compose, a Procfile, ``app.json``, ``render.yaml``) to a blueprint.

One module for each source; each gives services, resources and secrets, and says what it could not carry over. Pure:
files in, a text out.
"""

from previewbot.wire.adoption.adopting import SOURCES, Adopted, adopt
from previewbot.wire.adoption.dockerfiles import DEPTH
from previewbot.wire.adoption.draft import Left

__all__ = ["DEPTH", "SOURCES", "Adopted", "Left", "adopt"]
