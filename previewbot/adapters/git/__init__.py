"""Git: a bare mirror per repository, one commit fetched at a time, and clean trees given out.

The token travels in the environment of one git process, never in a URL, an argument or a log. Nothing of the
machine's or the repository's own git configuration is obeyed, no hook and no filter runs, and no path leaves a tree.
"""

from previewbot.adapters.git.source import GitSource
from previewbot.adapters.git.tree import SourceLimits

__all__ = ["GitSource", "SourceLimits"]
