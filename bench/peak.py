"""Run a netsuke command line and print, last, the peak memory of it and its children: `peak GB`."""

from __future__ import annotations

import resource
import subprocess
import sys

code = subprocess.run([sys.executable, "-m", "netsuke", *sys.argv[1:]], check=False).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6, flush=True)
sys.exit(code)
