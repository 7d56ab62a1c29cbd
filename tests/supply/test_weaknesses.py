from tests.supply.weaknesses import judged, reachable


def test_a_weakness_and_what_was_passed_over_are_told() -> None:
    weakness = {"id": "PYSEC-2026-1", "fix_versions": ["1.3"]}
    report = {
        "dependencies": [
            {"name": "sound", "version": "1.0", "vulns": []},
            {"name": "weak", "version": "1.2", "vulns": [weakness]},
            {"name": "odd", "skip_reason": "not found"},
        ]
    }
    assert judged(report) == ["weak 1.2: PYSEC-2026-1; mended in 1.3", "odd was not looked at: not found"]


def test_a_service_that_does_not_answer_is_not_taken_for_good_news() -> None:
    assert not reachable("http://127.0.0.1:9/")
