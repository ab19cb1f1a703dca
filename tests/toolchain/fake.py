"""A toolchain that does what the name of the first node says: a table, a crash, a hang, an error, a child left.

Like the real one it makes a folder while it is imported, in which every job writes files of the same names.
"""

from __future__ import annotations

import sys
from pathlib import Path

MAPPER = '''
import os, signal, subprocess, sys, tempfile, time
from pathlib import Path

SHARED = Path(tempfile.mkdtemp())

TABLE = """2026-11-23 03:17:41,720 INFO The main quantized node information:
Node  ON   Subgraph  Type  Cosine Similarity  Threshold  DataType
-----------------------------------------------------------------
node  BPU  id(0)     Hz    --                 1.0        int8
2026-11-23 03:17:41,720 INFO End"""


def main():
    said = Path("model.onnx").read_bytes()
    Path("calls.txt").write_text(" ".join(sys.argv))
    with (SHARED / "model").open("x") as file:
        file.write("of this job alone")
    if b"crash" in said:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"hang" in said:
        child = subprocess.Popen(["sleep", "300"])
        Path("../child.txt").write_text(str(child.pid))
        time.sleep(300)
    if b"leave" in said:
        child = subprocess.Popen(["sleep", "300"])
        Path("../child.txt").write_text(str(child.pid))
    if b"fail" in said:
        print("2026-11-23 03:22:59,000 ERROR The opset version of the model is 17, the maximum is 11.")
        sys.exit(255)
    print(TABLE)
'''


def install(root: Path, *, broken: bool = False) -> Path:
    """Put the fake at ``root``, its interpreter a script around ours; returns ``root``."""
    root = root.absolute()
    package = root / "lib/python3.10/site-packages/horizon_tc_ui"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('no pkg_resources')" if broken else "")
    (package / "hb_mapper.py").write_text(MAPPER)
    python = f'#!/bin/sh\nPYTHONPATH="{package.parent}" exec "{sys.executable}" "$@"\n'
    for name in ("python", "hb_mapper", "hbdk-cc"):
        tool = root / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(python)
        tool.chmod(0o755)
    return root
