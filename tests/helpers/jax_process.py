"""Processes that train with JAX, and import and compile no more than they need."""

import os
import subprocess
import sys

_START = """
import sys
# Keras imports both where they are installed, which takes seconds, and uses neither here.
sys.modules.update(tensorflow=None, sklearn=None)
"""


def jax_process(program, *arguments, devices=1):
    """Start a program, given as text, on a processor as so many devices."""
    return subprocess.Popen(
        [sys.executable, "-c", _START + program, *map(str, arguments)],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiling takes longer than a few steps
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
