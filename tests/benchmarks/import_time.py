"""How long imports take: the package, the sampler, and the modules that the first `fit_resample` imports, torch among them.

    python -m tests.benchmarks.import_time          # exit code 1 where the sampler takes 3 seconds or more

Each import is timed in a process of its own, without the start of Python, by the processor's time, so that other work on
the machine does not count; the best of some rounds counts, after one that fills the file cache.
"""

from __future__ import annotations

import subprocess
import sys

IMPORTS = {
    "mgvae": "import mgvae",
    "the sampler": "from mgvae import MGVAEOverSampler",
    "the sampler and what makes rows": "from mgvae import MGVAEOverSampler; import mgvae.sampler.per_class",
}
TIMED = "import time; start = time.process_time(); {}; print(time.process_time() - start)"
ROUNDS, MOST_SECONDS = 3, 3.0


def seconds(code: str) -> float:
    """Return the least time that an import takes, in seconds."""
    command = [sys.executable, "-c", TIMED.format(code)]
    return min(float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(ROUNDS + 1))


def main() -> int:
    """Measure and print; return the exit code."""
    found = {name: seconds(code) for name, code in IMPORTS.items()}
    for name, took in found.items():
        print(f"{name:32} {took:.2f} s")
    return int(found["the sampler"] >= MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
