"""Set before anything imports torch, Qt or a hub library."""

import os

# Two OpenMP threads beside another process on two cores wait for each other: 17 s instead of 0.3 s. One thread also
# gives the same bits everywhere.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

from hypothesis import settings

# No time limit on an example: a busy machine is not a failure.
settings.register_profile("denoodle", deadline=None)
settings.load_profile("denoodle")
