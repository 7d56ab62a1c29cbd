import pytest

from alerts.pager.digest import Digest
from alerts.pager.notice import Notice
from alerts.pager.wording import Wording
from tests.alerts.pager.examples import OVERSELL, event, notice


def letters(digest: Digest) -> int:
    """Return how much a digest says."""
    parts = [part for text in digest.texts for part in (text.summary, *text.sentences)]
    return sum(map(len, (*parts, *digest.hints)))


def digest_of(*notices: Notice) -> Digest:
    return Digest.of(notices, Wording("en"))


def test_what_fits_is_left_as_it_is() -> None:
    digest = digest_of(notice(), notice(OVERSELL))
    assert digest.fitted(letters, letters(digest)) is digest
    assert digest.hints == ()


def test_the_most_severe_comes_first_and_equals_keep_their_order() -> None:
    digest = digest_of(notice(product_id="a"), notice(OVERSELL, product_id="b"), notice(product_id="c"))
    assert [each.event.product_id for each in digest.notices] == ["b", "a", "c"]


def test_sentences_go_before_notices_and_the_first_notice_says_most() -> None:
    digest = digest_of(*(notice(product_id=f"p{number}") for number in range(4)))
    seen = []
    for most in range(letters(digest), 150, -1):
        fitted = digest.fitted(letters, most)
        assert letters(fitted) <= most
        seen.append((len(fitted.texts), sum(len(text.sentences) for text in fitted.texts)))
    assert sorted(set(seen), reverse=True) == list(dict.fromkeys(seen))
    assert seen[0] == (4, 20)
    assert (4, 5) in seen
    assert (4, 0) in seen
    assert seen[-1][0] < 4


def test_a_hint_says_what_is_left_out() -> None:
    digest = digest_of(*(notice(product_id=f"p{number}") for number in range(4)))
    cut = digest.fitted(letters, letters(digest) - 1)
    assert cut.hints == ("Too long, cut here: see the console.",)
    few = digest.fitted(letters, 120)
    assert len(few.texts) == 1
    assert few.hints == ("3 more not shown here: see the console.",)


@pytest.mark.parametrize("most", [0, 60])
def test_even_the_only_summary_is_cut_but_never_to_nothing(most: int) -> None:
    fitted = digest_of(notice(product_id="x" * 128)).fitted(letters, most)
    assert fitted.texts[0].summary.startswith("[warning]")
    assert fitted.texts[0].summary.endswith("…")


def test_the_title_is_the_only_summary_or_a_count() -> None:
    assert digest_of(notice()).title == "livefuse [warning] Product p42 (room r1): paused, many complaints"
    assert digest_of(notice(), notice()).title == "livefuse: 2 notices (warning 2)"


def test_the_console_page_is_that_of_the_most_severe() -> None:
    light = Notice.of(event(), console_url="https://console.example/light")
    grave = Notice.of(event(OVERSELL), console_url="https://console.example/grave")
    assert digest_of(light, grave).console_url == "https://console.example/grave"
    assert digest_of(light, notice(OVERSELL)).console_url == "https://console.example/light"
    assert digest_of(notice()).console_url is None
