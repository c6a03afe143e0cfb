"""Heuristics on column names. Every result is marked for review."""

from __future__ import annotations

import re
from collections.abc import Sequence


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _these(text: str) -> frozenset[str]:
    return frozenset(_words(text))


IDENTIFIER = re.compile(
    r"(unique|rand)?(patient|pat|pt|subject|subj|usubj|person|participant|case|encounter|enc|hadm|stay|visit|record|rec|family|fam|"
    r"household|mother|sibling|pair|matched.?set|study|rand|unique)(unit)?(stay)?(id|ids|no|nr|nbr|num|number)|uniquep(id)?"
)
SITE = re.compile(
    r"(hospital|hosp|ward|unit|site|cent(er|re)|clinic|practice|facility|department|dept|provider|physician|doctor|region|"
    r"institution|trust|lab)(id|no|nr|nbr|num|number|code|name)?"
)
WHOLE_IDENTIFIER = _these("patient subject person participant encounter family household rownames rowid index")
LAST_IDENTIFIER = _these("id ids nbr mrn ssn uuid guid identifier eid pid")
SUBJECT = ("patient", "subject", "subj", "person", "participant", "mrn", "pid", "pat", "id", "encounter")
PERSON = ("patient", "subject", "subj", "usubj", "person", "participant", "mrn", "pid", "pat", "pt", "uniquep", "rand")
UNKNOWN_OUTCOME = re.compile(
    r"\b(lost|ltfu|unknown|unk|withdr\w+|censored|missing|pending|not (known|available|recorded|assessed|evaluated)|"
    r"undetermined|drop(ped)?[ -]?out|refused|no follow[ -]?up|n/?a|transferred|moved away)\b",
    re.IGNORECASE,
)
GROUP = ("patient", "subject", "subj", "person", "participant", "mrn", "family", "fam", "household", "mother", "pair", "case")
PERSONAL = _these("surname lastname firstname forename email phone telephone mobile address street postcode zipcode zip ssn")
CODES = _these(
    "id code type race raceth ethnicity ethnic eth sex gender site ward hospital centre center group arm category cat region"
    " state country source specialty diagnosis diag icd"
)
CLASSIFICATIONS = re.compile(
    r"(icd|phecode|phewas|loinc|snomed|hcpcs|opcs|icpc|rxnorm|meddra|atc|cpt|drg|msdrg|ccs|ndc|dx)(\d\w*|cm|code|codes|cd)?"
)
AMOUNTS = _these("n num number count total time days hours months years")
DATED = _these("date datetime timestamp dob birthdate admitted discharged died")
SUBGROUP = _these("sex gender race raceth ethnicity ethnic")
IDENTIFYING = SUBGROUP | _these(
    "age male female birth born birthyear birthdate dob nationality marital occupation profession religion language "
    "region state country county city town district municipality borough area province zip3"
)
TRAIT = SUBGROUP | _these("male female eth man woman")
AFTER = _these(
    "death dead died deceased mortality expired autopsy discharge discharged disposition futime followup fu censor censored "
    "survival survtime readmitted readmission outcome outcomes endpoint postop postoperative postdischarge sequelae "
    "mort dod deathtime alive"
)
AFTER_STEM = re.compile(r"death|mortalit|deceas|disch(arg|time|date)|expire|surviv|autops|readmi|followup|postop|dischg")
BEFORE_STEM = re.compile(r"prior|previous|past|prev|history|baseline")
WHOLE_AFTER = _these("time days day status event outcome vital_status follow_up time_to_event")
BEFORE = _these("prior previous past history hx baseline before pre preop preoperative family")
WHEN = _these("time t days day weeks months years date dt when age at to of in since from until till first last")
STAY = _these("los length_of_stay lengthofstay time_in_hospital days_in_hospital")
OUTCOME = _words(
    "died dead death deceased mortality mort expired expire readmitted readmission outcome event endpoint complication adr "
    "autism status target label class case y censor censored"
)
DEAD = _these("dead died deceased expired death exitus")
LIVING = _these("alive living survived survivor survive discharged")
VAGUE = _these("status target label class case y")  # outcomes where the name says nothing else: not "smoking_status"
VAGUE_WITH = frozenset(OUTCOME) | _these("vital final survival patient true binary")


def words(name: str) -> list[str]:
    """Return a name's words in lower case: ``patientNbr`` and ``Patient.Nbr`` have 2."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def identifies(name: str) -> bool:
    """Return whether a name is an identifier's, such as ``patient_nbr`` or ``MRN``."""
    found = words(name)
    joined = "".join(found)
    return bool(found) and (
        found[-1] in LAST_IDENTIFIER or joined in WHOLE_IDENTIFIER or IDENTIFIER.fullmatch(joined) is not None
    )


def site(name: str) -> bool:
    """Return whether a name is that of a place of care, such as ``hospitalid`` or ``ward``."""
    return SITE.fullmatch("".join(words(name))) is not None


def trait(name: str) -> bool:
    """Return whether a name is that of what never changes in a patient, such as ``sex``."""
    return bool(TRAIT & set(words(name)))


def personal(name: str) -> bool:
    """Return whether a name is that of personal data, such as ``email``."""
    found = words(name)
    return bool(PERSONAL & {*found, "".join(found)}) or found in (["name"], ["patient", "name"], ["full", "name"])


def likeness(name: str, known: tuple[str, ...]) -> int:
    """Return the place of the first known word in ``name``; without one their number."""
    found = words(name)
    places = [place for place, word in enumerate(known) if word in found or (found and found[0].startswith(word))]
    return min(places, default=len(known))


def coded(name: str) -> bool:
    """Return whether whole numbers of this name are codes rather than amounts."""
    found = [word for word in words(name) if not word.isdecimal()]
    return bool(found) and found[-1] in CODES and found[0] not in AMOUNTS


def code(name: str) -> bool:
    """Return whether numbers of this name, with a point too, are codes: ``icd9_code``, ``phecode``."""
    found = [word for word in words(name) if not word.isdecimal()]
    classified = bool(found) and found[0] not in AMOUNTS and CLASSIFICATIONS.fullmatch(found[-1]) is not None
    return classified or (coded(name) and bool({"code", "codes", "icd", "diag", "diagnosis"} & set(found)))


def dated(name: str) -> bool:
    """Return whether a column of this name is a date: ``admission_date``, ``dob``, ``seen_on``."""
    found = words(name)
    return bool(found) and found[0] not in AMOUNTS and (bool(DATED & set(found)) or found[-1] in ("on", "at", "dt"))


def subgroup(name: str) -> bool:
    """Return whether performance is commonly reported by the levels of such a column."""
    return bool(SUBGROUP & set(words(name)))


def identifying(name: str) -> bool:
    """Return whether others may know such a value of a patient, as ``age`` or ``region``."""
    return bool(IDENTIFYING & set(words(name))) or site(name)


def afterwards(name: str, outcome: str = "") -> bool:
    """Return whether such a column, like ``time_to_death``, follows the outcome.

    Also where it is the time of the outcome by name, as ``mi_days`` of ``mi``; not where it says earlier, as
    ``prior_discharges``.
    """
    found = words(name)
    joined = "_".join(found)
    if BEFORE & set(found) or BEFORE_STEM.match(joined):
        return False
    rest = set(found) - WHEN
    timed = bool(rest) and len(rest) < len(set(found)) and rest <= set(words(outcome))
    stuck = "".join(found)
    named = bool(AFTER & set(found)) or bool({joined, stuck} & (WHOLE_AFTER | AFTER)) or bool(AFTER_STEM.search(stuck))
    return named or timed or "follow_up" in joined or "post_op" in joined


def whole_stay(name: str) -> bool:
    """Return whether such a column describes the whole stay, not its beginning."""
    return "_".join(words(name)) in STAY


def person(name: str) -> bool:
    """Return whether a name is that of a patient's identifier."""
    return identifies(name) and any(word.startswith(PERSON) for word in words(name))


def unknown_outcome(level: str) -> bool:
    """Return whether a level of an outcome says that it is not known, as ``Lost to FU``."""
    return UNKNOWN_OUTCOME.search(level.replace("_", " ")) is not None


def of_death(levels: Sequence[str]) -> bool:
    """Return whether levels say who died and who lived, as ``Alive`` and ``Expired``."""
    found = {word for level in levels for word in words(level)}
    return bool(found & DEAD) and bool(found & LIVING)


def outcome_rank(name: str) -> int | None:
    """Return how well a name fits an outcome, 0 the best; None where it does not."""
    found = set(words(name))
    if not found - VAGUE <= VAGUE_WITH:
        found -= VAGUE
    return next((place for place, word in enumerate(OUTCOME) if word in found), None)
