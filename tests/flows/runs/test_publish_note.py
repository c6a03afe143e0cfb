"""The metadata of synthetic rows say what privacy protects, where it was asked for."""

from flows.runs.publish import gate_note
from mgvae.results.privacy import PRIVACY, privacy_record
from tests.mgvae.report.test_privacy_section import record


def test_the_note_holds_gates_and_privacy(tmp_path):
    assert gate_note("pass", tmp_path) == "All gates passed or warned."
    (tmp_path / PRIVACY).write_text(record().model_dump_json(), encoding="utf-8")
    assert privacy_record(tmp_path) == record()
    assert gate_note("fail", tmp_path) == f"A gate failed: not for the recommended model. {record().sentence}"
