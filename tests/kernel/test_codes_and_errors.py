"""Codes that are stored and travel: complete, stable, in two languages. Errors: the tree a caller can rely on."""

import pytest

from onecard.kernel import codes, errors


def test_every_result_has_a_sentence_in_both_languages() -> None:
    assert set(codes.RESULT_TEXT) == set(codes.Result)
    for text in codes.RESULT_TEXT.values():
        assert any("\u4e00" <= character <= "\u9fff" for character in text.zh)
        assert text.en.isascii()
        assert text.en


def test_no_two_results_read_the_same() -> None:
    assert len({text.zh for text in codes.RESULT_TEXT.values()}) == len(codes.Result)
    assert len({text.en for text in codes.RESULT_TEXT.values()}) == len(codes.Result)


def test_stored_numbers_are_what_they_were() -> None:
    names = ("PURCHASE", "ADVICE", "TOPUP", "HOLD", "COMMIT", "RELEASE", "VOID", "REFUND", "REVERSAL", "BALANCE")
    expected = [*zip(names, range(1, 11), strict=True), ("CHIP_PURCHASE", 13)]
    assert [(operation.name, int(operation)) for operation in codes.Operation] == expected
    assert (codes.Result.APPROVED, codes.Result.KEY_CONFLICT, codes.Result.INSUFFICIENT_FUNDS, codes.Result.BUSY) == (
        0,
        10,
        50,
        90,
    )


def test_results_stand_in_their_order_of_precedence() -> None:
    assert [int(result) for result in codes.Result] == sorted(codes.Result)


@pytest.mark.parametrize("kind", [errors.InvalidInput, errors.NotFound, errors.Unavailable])
def test_an_error_speaks_both_languages(kind: type[errors.OneCardError]) -> None:
    error = kind("中文", "English")
    assert (error.zh, error.en, str(error)) == ("中文", "English", "中文 / English")
    assert isinstance(error, errors.OneCardError)


def test_only_unavailable_invites_another_try() -> None:
    kinds = (errors.InvalidInput, errors.RuleViolated, errors.NotFound, errors.Unavailable)
    assert [kind.retryable for kind in kinds] == [False, False, False, True]
    assert len({kind.code for kind in kinds}) == 4


def test_a_violated_rule_names_its_number_and_figure() -> None:
    error = errors.RuleViolated("超限", "over the limit", rule="O1", limit=64)
    assert (error.rule, error.limit) == ("O1", 64)
