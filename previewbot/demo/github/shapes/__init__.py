"""The JSON of the simulated GitHub: the same objects in API answers and in webhook payloads."""

from previewbot.demo.github.shapes.accounts import Json
from previewbot.demo.github.shapes.comments import Comments
from previewbot.demo.github.shapes.deployments import Deployments

__all__ = ["Json", "Shapes"]


class Shapes(Comments, Deployments):
    """Writes GitHub's objects."""
