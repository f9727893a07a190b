"""A worker of test_launch.py: writes down which GPUs it sees."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    (Path(sys.argv[1]) / os.environ["RANK"]).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
