"""Sixty nights with each fault: what drift and the champion's rule said on which night.

Drift and promotion are the product's own, on simulated extracts and models of logistic regression; no generator is trained. A
night whose drift fails is refused and becomes no reference, as in the product. Each finished chain of nights is kept, so that
the command goes on where it was stopped.

Run: python -m tests.benchmarks.nights [--seeds 3] [--nights 60] [--faults wrong_join,unit_error] [--out FOLDER]
     [--accept NIGHT]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from tests.benchmarks.nights.chain import NightRecord, lived
from tests.benchmarks.nights.world import BEGIN, FAULTS, SHIFT

SOON, USELESS = 3, 0.55  # nights within which a fault must be reported; true AUROC of a model without use


def main() -> None:
    """Run what is missing, and print the table and the targets."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--nights", type=int, default=60)
    options.add_argument("--faults", default=",".join(FAULTS))
    options.add_argument("--out", type=Path, default=Path(".benchmarks/nights"))
    options.add_argument("--accept", type=int, help="a person accepts the extract of this night, if it was refused")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    chains: dict[str, list[list[NightRecord]]] = {}
    for fault in chosen.faults.split(","):
        for seed in range(chosen.seeds):
            chains.setdefault(fault, []).append(kept(chosen.out, fault, seed, chosen.nights, chosen.accept))
            print(f"{fault}, seed {seed}: done", file=sys.stderr, flush=True)
    print("\n".join(table(chains)))
    sys.exit(0 if all(met for _, met in targets(chains)) else 1)


def kept(out: Path, fault: str, seed: int, nights: int, accept: int | None = None) -> list[NightRecord]:
    """Return a chain of nights, made now or before."""
    path = out / f"{fault}-{seed}-{nights}{'' if accept is None else f'-accepted-{accept}'}.json"
    if path.exists():
        return [NightRecord(**one) for one in json.loads(path.read_text())]
    found = lived(fault, seed, nights, accept)  # type: ignore[arg-type]
    new = path.with_suffix(".part")
    new.write_text(json.dumps([vars(one) for one in found]))
    new.replace(path)
    return found


def table(chains: dict[str, list[list[NightRecord]]]) -> list[str]:
    """Return the results as Markdown."""
    out = ["| fault | chains | first said, nights after it began | by | nights refused | promoted | lowest AUROC promoted |"]
    out.append("|" + "---|" * 7)
    for fault, found in chains.items():
        firsts = [first_report(chain) for chain in found]
        said = ", ".join("-" if one is None else str(one.night - BEGIN) for one in firsts)
        by = Counter(name for one in firsts if one is not None for name in one.said)
        sources = ", ".join(f"{name} {count}" for name, count in by.most_common(5))
        nights = [night for chain in found for night in chain]
        refused = sum(night.action == "refused" for night in nights)
        moved = [night for night in nights if night.action == "promoted"]
        lowest = min((night.truth for night in moved), default=float("nan"))
        out.append(
            f"| {fault} | {len(found)} | {said} | {sources} | {refused} of {len(nights)} | {len(moved)} | {lowest:.3f} |"
        )
    quiet = quiet_nights(chains)
    alarms = Counter(name for night in quiet for name in night.said)
    out += ["", f"Quiet nights: {len(quiet)}, with any alarm: {sum(bool(night.said) for night in quiet)} {dict(alarms)}", ""]
    return out + [f"- {'met' if met else 'MISSED'}: {text}" for text, met in targets(chains)]


def first_report(chain: list[NightRecord]) -> NightRecord | None:
    """Return the first night with the fault on which anything was said."""
    return next((night for night in chain if night.night >= BEGIN and night.said), None)


def quiet_nights(chains: dict[str, list[list[NightRecord]]]) -> list[NightRecord]:
    """Return the nights of the chains without a fault; before it begins, the others are the same nights again."""
    return [one for chain in chains.get("nothing", []) for one in chain]


def targets(chains: dict[str, list[list[NightRecord]]]) -> list[tuple[str, bool]]:
    """Return each target in words, and whether it is met."""
    nights = [night for found in chains.values() for chain in found for night in chain]
    useless = sum(night.action == "promoted" and night.truth < USELESS for night in nights)
    alarmed = [bool(night.said) for night in quiet_nights(chains)]
    out = [(f"no useless model is ever promoted: {useless} of {len(nights)} nights", useless == 0)]
    share = sum(alarmed) / max(len(alarmed), 1)
    out.append((f"false alarms at most 1 % a night: {share:.2%} of {len(alarmed)}", share <= 0.01))
    for fault in [one for one in ("wrong_join", "unit_error", "new_site", "label_delay", "slow_shift") if one in chains]:
        firsts = [first_report(chain) for chain in chains[fault]]
        waits = [1000 if one is None else one.night - BEGIN for one in firsts]
        if fault == "slow_shift":
            shifts = [SHIFT * (wait + 1) for wait in waits]
            out.append((f"slow shift said before 1 SD: {', '.join(f'{x:.2f}' for x in shifts)}", max(shifts) < 1))
        else:
            out.append((f"{fault} said within {SOON} nights: {', '.join(map(str, waits))}", max(waits) < SOON))
    return out


if __name__ == "__main__":
    main()
