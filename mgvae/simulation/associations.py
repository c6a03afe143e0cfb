"""Published associations with autism: the known part of the simulated risk.

A published odds, hazard or prevalence ratio stands here as the odds ratio given everything else. Outcomes of 2 % make the three
nearly equal; that studies adjusted for different things is ignored. `FACTOR_EFFECTS` is ours, not published.
"""

from __future__ import annotations

from mgvae.config.strict import Strict


class Association(Strict):
    """One exposure and its effect on the odds of autism.

    Attributes:
        exposure: its name among the exposures of a simulated child.
        odds_ratio: for the exposure, or for one unit of a measured one.
        source: author, year and what was read off.
        doi: of the source.
    """

    exposure: str
    odds_ratio: float
    source: str
    doi: str


def _association(exposure: str, odds_ratio: float, source: str, doi: str) -> Association:
    return Association(exposure=exposure, odds_ratio=odds_ratio, source=source, doi=doi)


WU = ("Wu 2017, meta-analysis: 18 % more for 10 years of the mother, 21 % of the father", "10.1111/acps.12666")
CRUMP = ("Crump 2021, 4 million births, boys; extremely preterm, all preterm, early term", "10.1542/peds.2020-032300")
XU = ("Xu 2018, 199,520 children", "10.1001/jamanetworkopen.2018.0279")
MCELHANON = ("McElhanon 2014, meta-analysis", "10.1542/peds.2013-3995")
ALEXEEFF = ("Alexeeff 2017, diagnoses before autism: lower end of 2.1 to 3.2", "10.1007/s10803-017-3130-4")

ASSOCIATIONS: tuple[Association, ...] = (
    _association("male", 3.32, "Loomes 2017, meta-analysis, studies of high quality", "10.1016/j.jaac.2017.03.013"),
    _association("paternal_decades", 1.21, *WU),
    _association("maternal_decades", 1.18, *WU),
    _association("extremely_preterm", 3.72, *CRUMP),
    _association("other_preterm", 1.35, *CRUMP),
    _association("early_term", 1.11, *CRUMP),
    _association("sibling_autism", 10.3, "Sandin 2014, full siblings", "10.1001/jama.2014.4144"),
    _association("sibling_adhd", 4.35, "Miller 2019, later-born siblings", "10.1001/jamapediatrics.2018.4076"),
    _association("parental_psychiatric", 1.73, "Brumbaugh 2020, mother's disorder", "10.1016/j.jpeds.2020.01.022"),
    _association("maternal_valproate", 2.9, "Christensen 2013, all spectrum disorders", "10.1001/jama.2013.2270"),
    _association("maternal_infection", 1.48, "Zerbo 2015, treated in hospital", "10.1007/s10803-013-2016-3"),
    _association("maternal_obesity", 1.67, "Krakowiak 2012", "10.1542/peds.2011-2583"),
    _association("gestational_diabetes", 1.42, "Xiang 2015, by week 26", "10.1001/jama.2015.2707"),
    _association("hypertension_in_pregnancy", 1.35, "Maher 2018, meta-analysis", "10.1001/jamapsychiatry.2018.0854"),
    _association("folic_acid", 0.61, "Suren 2013, supplements around conception", "10.1001/jama.2012.155925"),
    _association("caesarean", 1.33, "Zhang 2019, meta-analysis", "10.1001/jamanetworkopen.2019.10236"),
    _association("short_interval", 3.39, "Cheslack-Postava 2011, below 12 months", "10.1542/peds.2010-2371"),
    _association("jaundice", 1.19, "Jenabi 2020, adjusted", "10.3345/kjp.2019.00815"),
    _association("epilepsy", 10.49, "Sundelin 2016, later autism", "10.1212/WNL.0000000000002836"),
    _association("constipation", 3.86, *MCELHANON),
    _association("diarrhoea", 3.63, *MCELHANON),
    _association("food_allergy", 2.29, *XU),
    _association("skin_allergy", 1.50, *XU),
    _association("respiratory_allergy", 1.28, *XU),
    _association("heart_defect", 1.33, "Sigmon 2019", "10.1542/peds.2018-4114"),
    _association("sleep_disorder", 2.1, *ALEXEEFF),
    _association("ear_disease", 2.1, *ALEXEEFF),
    _association("down_syndrome", 9.3, "Richards 2015: 16 % of them, as odds against 2 %", "10.1016/S2215-0366(15)00376-4"),
)

# Log odds for one standard deviation of a latent factor. That such clusters precede autism is published (Doshi-Velez 2014, doi
# 10.1542/peds.2013-0819; Kohane 2012, doi 10.1371/journal.pone.0033224; Alexeeff 2017); their size is set so that the true risk
# ranks children about as well as the best published models do with records of the first years (AUROC 0.80 to 0.86).
FACTOR_EFFECTS: dict[str, float] = {
    "neurodevelopment": 0.50,
    "gastrointestinal": 0.15,
    "infection": 0.15,
    "sleep": 0.15,
    "prematurity": 0.10,
}
