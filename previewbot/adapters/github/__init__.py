"""GitHub, as the App that is installed there: the ``Hub`` port on githubkit's transport.

One file, one concern: ``client`` sends and judges a single request, ``tokens`` proves who we are, ``directory`` knows
where the App is installed, ``comments`` keeps the one comment, ``budget`` counts content writes, ``shapes`` reads
GitHub's JSON, and ``hub`` says all of it in core's words. Nothing of githubkit, httpx or pydantic leaves this package,
no call ever waits for a rate limit, and no token ever reaches a URL, an error or a log.
"""

from previewbot.adapters.github.credentials import AppCredentials, AppDescription
from previewbot.adapters.github.hub import GitHubHub

__all__ = ["AppCredentials", "AppDescription", "GitHubHub"]
