"""Every error code is explained, in every language, and nothing else is."""

from __future__ import annotations

import pytest

from posd.texts.errors import ErrorCode
from posd.texts.explanations import LANGUAGES, explanations


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_code_has_a_cause_and_a_remedy(language: str) -> None:
    rows = explanations(language)
    assert set(rows) == {str(code) for code in ErrorCode}
    assert all(row.cause and row.remedy for row in rows.values())


def test_no_explanation_was_left_untranslated() -> None:
    chinese, english = explanations("zh_CN"), explanations("en")
    for code in ErrorCode:
        assert not chinese[code].cause.isascii()
        assert not chinese[code].remedy.isascii()
        assert english[code].cause.isascii()


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a language"):
        explanations("fr")


@pytest.mark.parametrize("code", [ErrorCode.NO_CONNECTION, ErrorCode.NO_ANSWER])
def test_a_failed_exchange_does_not_say_what_became_of_the_money(code: ErrorCode) -> None:
    # It also stands as the cause of a reversal that waits: there a card may have been charged.
    assert "charged" not in explanations("en")[code].cause
    assert "扣款" not in explanations("zh_CN")[code].cause
