"""What the name of a column lets one suppose. Suppositions only: whatever follows from them is marked for review."""

from __future__ import annotations

import re


def _these(text: str) -> frozenset[str]:
    return frozenset(text.split())


IDENTIFIER = re.compile(
    r"(patient|pat|subject|subj|usubj|person|participant|case|encounter|enc|hadm|stay|visit|record|rec|family|fam|household|"
    r"mother|sibling|pair|matched.?set|study)(id|ids|no|nr|nbr|num|number)"
)
WHOLE_IDENTIFIER = _these("patient subject person participant encounter family household rownames rowid index")
LAST_IDENTIFIER = _these("id ids nbr mrn ssn uuid guid identifier eid pid")
SUBJECT = ("patient", "subject", "subj", "person", "participant", "mrn", "pid", "pat", "id", "encounter")
GROUP = ("patient", "subject", "subj", "person", "participant", "mrn", "family", "fam", "household", "mother", "pair", "case")
PERSONAL = _these("surname lastname firstname forename email phone telephone mobile address street postcode zipcode zip ssn")
CODES = _these(
    "id code type race raceth ethnicity ethnic eth sex gender site ward hospital centre center group arm category cat region"
    " state country source specialty diagnosis diag icd"
)
AMOUNTS = _these("n num number count total time days hours months years")
SUBGROUP = _these("sex gender race raceth ethnicity ethnic")
AFTER = _these(
    "death dead died deceased mortality expired autopsy discharge discharged disposition futime followup censor censored "
    "survival survtime readmitted readmission"
)
WHOLE_AFTER = _these("time status event outcome fu vital_status follow_up time_to_event")
STAY = _these("los length_of_stay lengthofstay time_in_hospital days_in_hospital")
OUTCOME = (
    "died",
    "dead",
    "death",
    "deceased",
    "mortality",
    "expired",
    "readmitted",
    "readmission",
    "outcome",
    "event",
    "endpoint",
    "complication",
    "adr",
    "autism",
    "status",
    "target",
    "label",
    "class",
    "case",
    "y",
)


def words(name: str) -> list[str]:
    """Return the words of a name in lower case: of ``patientNbr``, ``patient_nbr`` and ``Patient.Nbr`` the same two."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def identifies(name: str) -> bool:
    """Return whether a name is one of an identifier, such as ``patient_nbr``, ``MRN`` or ``subjid``."""
    found = words(name)
    joined = "".join(found)
    return bool(found) and (
        found[-1] in LAST_IDENTIFIER or joined in WHOLE_IDENTIFIER or IDENTIFIER.fullmatch(joined) is not None
    )


def personal(name: str) -> bool:
    """Return whether a name is one of what tells who a person is, such as ``email``."""
    found = words(name)
    return bool(PERSONAL & {*found, "".join(found)}) or found in (["name"], ["patient", "name"], ["full", "name"])


def likeness(name: str, known: tuple[str, ...]) -> int:
    """Return the place in ``known`` of the first of its words that ``name`` begins with or holds; its length where none is."""
    found = words(name)
    places = [place for place, word in enumerate(known) if word in found or (found and found[0].startswith(word))]
    return min(places, default=len(known))


def coded(name: str) -> bool:
    """Return whether whole numbers under this name are rather codes of categories than amounts."""
    found = [word for word in words(name) if not word.isdecimal()]
    return bool(found) and found[-1] in CODES and found[0] not in AMOUNTS


def subgroup(name: str) -> bool:
    """Return whether performance is commonly reported by the levels of such a column."""
    return bool(SUBGROUP & set(words(name)))


def afterwards(name: str) -> bool:
    """Return whether a column of that name is commonly known only after the outcome, such as ``time_to_death``."""
    found = words(name)
    return bool(AFTER & set(found)) or bool({"_".join(found), "".join(found)} & (WHOLE_AFTER | AFTER))


def whole_stay(name: str) -> bool:
    """Return whether a column of that name describes the whole stay, and not what was known at its beginning."""
    return "_".join(words(name)) in STAY


def outcome_rank(name: str) -> int | None:
    """Return how much a name is one of an outcome, 0 the most; None where it is not."""
    found = set(words(name))
    return next((place for place, word in enumerate(OUTCOME) if word in found), None)
