"""A simulated GitHub: real HTTP, real git repositories, real signatures, and its whole state in memory.

It serves the demo, where a person drives it through its pages, and the tests, where the real client talks to it.
``state`` holds what is true, ``repository`` the git side, ``shapes`` the JSON, ``hooks`` delivers, ``api`` answers the
App, ``git_http`` serves git, ``pages`` is for people. It never knows anything of previewbot.
"""

from previewbot.demo.github.server import SimulatedGitHub

__all__ = ["SimulatedGitHub"]
