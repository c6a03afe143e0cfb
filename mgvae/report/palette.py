"""Colours by what they mean, for light and dark pages.

The nine arms take their hues from Okabe and Ito's colour-blind-safe set, darkened to 3:1 against the page (WCAG 1.4.11), and
each has its own marker and dash besides, so that no reading depends on colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from mgvae.config.sections import Arm

# name: (on a light page, on a dark page). Light values are all different: figures are drawn with them, then given the names.
COLOURS: dict[str, tuple[str, str]] = {
    "page": ("#ffffff", "#12181f"),
    "panel": ("#f5f7f9", "#1a222b"),
    "ink": ("#17212b", "#e7ecf1"),
    "muted": ("#4c5a68", "#a9b6c3"),
    "rule": ("#d5dce3", "#33404d"),
    "axis": ("#7b8794", "#7c8996"),
    "link": ("#0b57a4", "#7ab8f5"),
    "pass": ("#0a6b49", "#4cc38f"),
    "warn": ("#8a5300", "#e8a93f"),
    "fail": ("#b3261e", "#ff8f85"),
    "pass-panel": ("#e6f4ee", "#12302a"),
    "warn-panel": ("#fdf1dc", "#33280f"),
    "fail-panel": ("#fbe9e7", "#3a1b1a"),
    "majority": ("#5f6b77", "#9aa7b4"),
    "cases": ("#0072b2", "#5ab4ea"),
    "synthetic": ("#c44e00", "#f08a4b"),
    "arm-none": ("#20262c", "#f2f5f7"),
    "arm-class-weight": ("#2a7fa8", "#6cbfe6"),
    "arm-threshold": ("#8a6d00", "#d6b53c"),
    "arm-random-oversampling": ("#b0568b", "#e39ac6"),
    "arm-smote": ("#007f5c", "#35c79b"),
    "arm-vae": ("#5a4fa8", "#aba2f0"),
    "arm-mgvae-no-pretraining": ("#7a4a2a", "#cf9a75"),
    "arm-mgvae-no-ewc": ("#a33b52", "#ee8da1"),
    "arm-mgvae": ("#d04f00", "#ff9352"),
    "arm-guided": ("#00707a", "#4fc7d1"),
}


@dataclass(frozen=True)
class ArmStyle:
    """Colour name, matplotlib marker and dash pattern in px (empty: solid) of an arm."""

    colour: str
    marker: str
    dash: tuple[float, ...] = ()

    @property
    def line(self) -> str | tuple[float, tuple[float, ...]]:
        """Return the line style, as matplotlib takes it."""
        return (0, self.dash) if self.dash else "-"


ARM_STYLES: dict[Arm, ArmStyle] = {
    "none": ArmStyle("arm-none", "o"),
    "class_weight": ArmStyle("arm-class-weight", "s", (5, 2)),
    "threshold": ArmStyle("arm-threshold", "v", (1.5, 2)),
    "random_oversampling": ArmStyle("arm-random-oversampling", "^", (6, 2, 1.5, 2)),
    "smote": ArmStyle("arm-smote", "D", (3, 2)),
    "vae": ArmStyle("arm-vae", "<", (8, 3)),
    "mgvae_no_pretraining": ArmStyle("arm-mgvae-no-pretraining", ">", (2, 1)),
    "mgvae_no_ewc": ArmStyle("arm-mgvae-no-ewc", "P", (4, 1)),
    "mgvae": ArmStyle("arm-mgvae", "X"),
    "guided": ArmStyle("arm-guided", "p", (7, 2, 2, 2)),
}


def light(name: str) -> str:
    """Return the colour called ``name`` on a light page, with which figures are drawn."""
    return COLOURS[name][0]


def css_variables(*, dark: bool = False) -> str:
    """Return the palette as CSS custom properties."""
    return " ".join(f"--{name}: {pair[dark]};" for name, pair in COLOURS.items())
