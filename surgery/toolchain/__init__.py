"""The vendor's toolchain: found, asked as a witness, its logs and files read into typed results.

It is proprietary and never part of this package; everything here works on what an installation of the user says.
"""

from surgery.toolchain.install import Installation, find
from surgery.toolchain.results import Answer
from surgery.toolchain.witness import Witness
from surgery.toolchain.worker import WitnessError

__all__ = ["Answer", "Installation", "Witness", "WitnessError", "find"]
