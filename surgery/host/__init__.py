"""Host code: what moved out of a model, printed as a Python module on numpy and as a C++17 header."""

from surgery.host.code import HostCode, check_folder, host_code

__all__ = ["HostCode", "check_folder", "host_code"]
