"""Python imports this first, where the folder is on its path: it puts a fault into a process that is started anew."""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
import fault_injection

fault_injection.install_from_environment()
