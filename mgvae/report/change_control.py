"""The plan by which a study's model may change: a predetermined change control plan, from the study's settings.

Source: FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan for AI-Enabled Device Software
Functions, 2024: description of modifications, modification protocol, impact assessment.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from mgvae.config.study import CohortConfig
from mgvae.report.formatting import METRICS, measured, plural
from mgvae.report.overview import advice, performance
from mgvae.report.schema import Report


def change_control_plan(report: Report, config: CohortConfig, rules: Mapping[str, str], *, fewest_events: int) -> str:
    """Return the plan in Markdown; every number in it is a setting's or the report's.

    Args:
        report: of the run whose model is in use.
        config: its settings.
        rules: rules of other parts in words: ``promotion``, and what else is in force, by name.
        fewest_events: below which a comparison is undecided.
    """
    return "\n".join(
        [*_head(report), *_modifications(config), *_protocol(config, rules), *_impact(report, config, fewest_events), ""]
    )


def _head(report: Report) -> list[str]:
    return [
        f"# Predetermined change control plan: {report.title or report.study}",
        "",
        f"Written from the settings of run `{report.run_id}` ({report.created_at}), settings sha256 "
        f"`{(report.lineage.config_sha256 or '')[:12]}`, code `{report.lineage.code_version}`. A change outside this plan "
        "needs a new plan. To be completed by the manufacturer or the hospital where it says so.",
        "",
    ]


def _modifications(config: CohortConfig) -> list[str]:
    settings = config.evaluation
    return [
        "## 1. Description of modifications",
        "",
        "| Modification | What changes | What stays |",
        "|---|---|---|",
        "| M1 Retraining on a new extract | coefficients or trees, recalibration; arm and classifier among "
        f"{', '.join(settings.arms)} and {', '.join(settings.classifiers)} | outcome, horizon, predictors, data dictionary |",
        "| M2 Recalibration in the large (`--update intercept`) | the level of the risks | ranks, slope, threshold |",
        "| M3 Recalibration (`--update slope`) | level and slope | ranks, threshold |",
        "| M4 Refit on other patients (`--update refit`) | all coefficients, on those patients alone | arm, classifier, "
        "predictors, threshold |",
        "",
        f"Not covered: another outcome than `{config.outcome.column}`, other predictors than the "
        f"{len(config.columns.features)} of the dictionary, another population or intended use, another threshold of alerts.",
        "",
    ]


def _protocol(config: CohortConfig, rules: Mapping[str, str]) -> list[str]:
    gates, drift, settings = config.gates, config.drift, config.evaluation
    low, high = config.outcome.expected_prevalence
    return [
        "## 2. Modification protocol",
        "",
        "### Data",
        "",
        f"- Each extract is checked against the dictionary; it is refused unless {low:.1%} to {high:.1%} of the patients have "
        "the event, and no column lacks more cells than the dictionary allows.",
        f"- Drift against the last accepted extract ({config.drift.against}): stability index warns from {drift.psi_warn:g}, "
        f"fails from {drift.psi_fail:g}; Kolmogorov-Smirnov {drift.ks_warn:g} and {drift.ks_fail:g}; missing cells "
        f"{drift.missing_warn:g} and {drift.missing_fail:g}; prevalence by a factor of {drift.prevalence_warn:g} and "
        f"{drift.prevalence_fail:g}; rows by {drift.rows_warn:g} and {drift.rows_fail:g}. A gate fails on evidence only: the "
        "whole interval must lie beyond.",
        f"- Hold-out: {config.split.test_fraction:.0%} of the patients, {config.split.method} split; groups stay whole.",
        "",
        "### Retraining (M1)",
        "",
        f"- {plural(settings.folds, 'fold')}, {plural(settings.repeats, 'repeat')}; everything learned is learned inside the "
        f"training part; {plural(settings.bootstrap, 'resample')} of whole groups behind each interval.",
        f"- Synthetic cases must pass their gates: separation from the majority at least {gates.separation_fail:g} of that of "
        f"real cases, membership attack at most AUC {gates.membership_fail:g}, disclosure at most {gates.disclosure:g}.",
        f"- A correction is recommended only if its gain is more than luck; a gain of {settings.relevant_gain:g} in AUROC "
        "would matter.",
        "",
        "### Performance that a new model must reach",
        "",
        *[f"- {name}: {text}" for name, text in rules.items()],
        "",
        "### Updates (M2 to M4)",
        "",
        "- `mgvae evaluate RUN EXTRACT --update KIND --why TEXT`. The external validation is written first; the new version "
        "names its parent, reason, person, time and patients, and the audit log has a line with its digest.",
        "- A version is used once a person names it (`--model-version`); the version before stays, byte for byte.",
        "",
        "### Going back",
        "",
        "- `mgvae champion rollback` returns to the champion before; the run that leaves does not come back by itself.",
        "",
    ]


def _impact(report: Report, config: CohortConfig, fewest_events: int) -> list[str]:
    lines = ["## 3. Impact assessment", "", f"Model in use: {advice(report)}", ""]
    for part in performance(report):
        shown = ", ".join(f"{METRICS[metric].label} {measured(metric, estimate)}" for metric, estimate in part.scores.items())
        lines.append(f"- {part.source}: {shown}.")
    subgroups = ", ".join(column.label or name for name, column in config.columns.with_role("subgroup")) or "none named"
    return [
        *lines,
        "",
        "| Risk of a modification | How it is seen | What limits it |",
        "|---|---|---|",
        "| A worse model replaces a good one | paired comparison on patients that the champion never saw | the rule above; "
        f"fewer than {fewest_events} events: undecided, the champion stays; rollback |",
        "| Wrong data (units, a wrong join, another population) | dictionary, drift gates, flags of each patient | the night "
        "fails, nothing is promoted |",
        "| Risks too high or too low after a change | observed / expected, calibration slope, with intervals | recalibration "
        "in each run; M2, M3 |",
        f"| A subgroup is served worse | performance by subgroup ({subgroups}), with limits for all at once | report section "
        "Subgroups, read before a person promotes |",
        "| Performance decays unseen | kept predictions, judged once outcomes are known "
        f"({plural(config.horizon_days, 'day') if config.horizon_days else 'horizon not stated'}) | `mgvae monitor` |",
        "| Patients can be recognised in synthetic cases | membership, disclosure and copy gates | failed gate: the arm is "
        "barred |",
        "",
        "To be completed by a person: intended use and users, clinical consequences of a missed case and of a false alarm, who "
        "decides on each modification, how users are informed, and the regulatory pathway.",
    ]


def as_page(markdown: str, title: str) -> str:
    """Return the plan as a page that loads nothing.

    Args:
        markdown: of `change_control_plan`: headings, lists, tables and paragraphs, one a line.
        title: of the page.
    """
    from mgvae.report.render import page

    return page("plan.html", title=title, blocks=_blocks(markdown))


def _blocks(markdown: str) -> list[str]:
    """Return the HTML of headings, lists, tables and paragraphs."""
    blocks: list[str] = []
    for part in markdown.strip().split("\n\n"):
        lines = part.split("\n")
        level = len(lines[0]) - len(lines[0].lstrip("#"))
        if level:
            blocks.append(f"<h{level}>{_inline(lines[0].lstrip('# '))}</h{level}>")
        elif lines[0].startswith("- "):
            blocks.append("<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>")
        elif lines[0].startswith("|"):
            rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            head = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in rows[0])
            body = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows[2:])
            blocks.append(f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')
        else:
            blocks.append(f"<p>{_inline(' '.join(lines))}</p>")
    return blocks


def _inline(text: str) -> str:
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))
