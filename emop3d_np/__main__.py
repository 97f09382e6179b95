"""``python -m emop3d_np COMMAND``: the same as the console script ``emop3d COMMAND``; see :mod:`emop3d_np.commands`."""

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main())
