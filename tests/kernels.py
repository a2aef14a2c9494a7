"""``python tests/kernels.py``: the numeric tests under other processors' kernels and thread counts.

What a processor computes depends on it: OpenBLAS has a kernel for each kind, XLA its instruction
sets, and sums are added up by so many threads. A kernel that this processor can't run is named and
left out.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]

TESTS = (
    *("tests/signal", "tests/network", "tests/eval/bss", "tests/separation/test_separation.py"),
    *(
        "tests/live/test_stream.py",
        "tests/weights/test_published.py",
        "tests/training/test_loop.py",
    ),
)

AVX2, AVX512 = {"avx2", "fma"}, {"avx2", "fma", "avx512f"}
KERNELS = {  # environment, and what the processor needs for it
    "Haswell, one thread": (
        {
            "OPENBLAS_CORETYPE": "Haswell",
            "OPENBLAS_NUM_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": "1",
        },
        AVX2,
    ),
    "Haswell, two threads": ({"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"}, AVX2),
    "SkylakeX": ({"OPENBLAS_CORETYPE": "SkylakeX"}, AVX512),
    "Zen": ({"OPENBLAS_CORETYPE": "Zen"}, AVX2),
    "Nehalem": ({"OPENBLAS_CORETYPE": "Nehalem"}, {"sse4_2"}),
    "XLA with AVX2": (
        {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2", "TF_ENABLE_ONEDNN_OPTS": "0"},
        {"avx2"},
    ),
}


def features_of_the_processor():
    """What Linux says that this processor can do; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return set(flags.partition(":")[2].split())


def main():
    """Run the tests once a kernel; the exit status is 1 if some failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(KERNELS)} (default: all)")
    chosen = parser.parse_args().names or list(KERNELS)
    if strange := set(chosen) - set(KERNELS):
        parser.error(f"no kernel named {', '.join(strange)}: choose of {', '.join(KERNELS)}")
    there, failed = features_of_the_processor(), []
    for name in chosen:
        environment, needed = KERNELS[name]
        if not needed <= there:
            print(f"{name}: left out, this processor ({platform.machine()}) lacks it", flush=True)
            continue
        begun = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        done = subprocess.run(
            [*command, *TESTS],
            cwd=ROOT,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
        )
        lines = done.stdout.splitlines()
        print(f"{name}: {lines[-1] if lines else done.stderr}", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stdout, flush=True)
        print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
