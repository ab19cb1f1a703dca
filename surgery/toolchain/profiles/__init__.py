"""Profiles: what the board and the compiler say about time, read from whatever file they left.

One module per format, each with ``claims(text)`` and ``read(text, path)``; formats are told apart by content alone. To
add one, write its module and put it into :data:`surgery.toolchain.profiles.reading.FORMATS`.
"""

from surgery.toolchain.profiles.profile import Form, Item, Measured, Profile, Role, Times
from surgery.toolchain.profiles.reading import read_profile

__all__ = ["Form", "Item", "Measured", "Profile", "Role", "Times", "read_profile"]
