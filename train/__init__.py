"""Distil a big image generator into a phone-sized one (TinyGAN, ACCV 2020)."""

import os

from train.environment import complete

# Must be set before torch is imported. By default waiting OpenMP threads spin: on a machine with fewer idle
# cores than threads every parallel region then takes a time slice, and training a tenth of its speed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

complete()
