"""A simulated GitHub: real HTTP, real git repositories, real signatures, and its whole state in memory.

It serves the demo, where a person drives it through its pages, and the tests, where the real client talks to it.
``server`` is what people do to it, ``state`` what is true, ``repository`` the git side, ``shapes`` the JSON; ``news``
tells the App what happened and ``hooks`` delivers it; ``api`` answers the App and ``git_http`` serves git, both by the
``rights`` of its tokens, within its ``limits``, and as the ``faults`` of the day allow; ``pages`` is for people. It
never knows anything of previewbot.
"""

from previewbot.demo.github.server import SimulatedGitHub

__all__ = ["SimulatedGitHub"]
