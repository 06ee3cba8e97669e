"""What an operator configures: `hangdao.yaml`, `HANGDAO_SECTION__KEY`, flags. Checked at the start.

A process that starts is configured right: every mistake is reported at once, with file and line.
"""

from gateway.settings.document import Problem, SettingsError
from gateway.settings.load import Loaded, check_credentials, load
from gateway.settings.model import ChannelSettings, Settings
from gateway.settings.show import Row, show

__all__ = [
    "ChannelSettings",
    "Loaded",
    "Problem",
    "Row",
    "Settings",
    "SettingsError",
    "check_credentials",
    "load",
    "show",
]
