"""AWS: ``session`` opens its services and says what their errors mean, ``cloud`` makes what environments use of it."""

from previewbot.adapters.aws.cloud import AwsCloud, Rules
from previewbot.adapters.aws.session import Account

__all__ = ["Account", "AwsCloud", "Rules"]
