"""Numbers in digits and words, against values written by hand."""

import pytest

from ppoc.draft.agent.lexer import lex


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-4", 3e-4),
        ("3 × 10^-4", 3e-4),
        ("3×10⁻⁴", 3e-4),
        ("2.5*10^-4", 2.5e-4),
        ("three e minus four", 3e-4),
        ("ten to the minus four", 1e-4),
        ("half a million", 500_000),
        ("a quarter of a million", 250_000),
        ("two and a half million", 2_500_000),
        ("a hundred thousand", 100_000),
        ("two thousand and forty-eight", 2048),
        ("one hundred and fifty thousand", 150_000),
        ("ninety-nine percent", 0.99),
        ("20 %", 0.2),
        ("1/2", 0.5),
        ("point nine nine", 0.99),
        ("zero point one five", 0.15),
        ("one thousandth", 1e-3),
        ("minus three", -3),
        ("a dozen", 12),
        ("10,000,000", 10_000_000),
        ("500.000", 500_000),
        ("200 000", 200_000),
        ("1_024", 1024),
        ("0,0003", 3e-4),
        ("0.995", 0.995),
        (".15", 0.15),
        ("1.5M", 1_500_000),
        ("4k", 4000),
        ("2.5 million", 2_500_000),
        ("2^11", 2048),
        ("20万", 200_000),
        ("一百万", 1_000_000),
        ("零点二", 0.2),
        ("zweihunderttausend", 200_000),
        ("1,5 Mio", 1_500_000),
        ("cinq cent mille pas avec un taux", 500_000),
        ("trescientos mil pasos con una tasa", 300_000),
        ("medio millón de pasos con", 500_000),
    ],
)
def test_a_number_is_read(text, value):
    numbers = [item.number for item in lex(text) if item.number is not None]
    assert [number.value for number in numbers] == [pytest.approx(value, rel=1e-12)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[64, 32]", (64, 32)),
        ("2x256", (2, 256)),
        ("64-64", (64, 64)),
        ("{0.1, 0.2, 0.3}", (0.1, 0.2, 0.3)),
    ],
)
def test_numbers_that_belong_together(text, values):
    (item,) = lex(text)
    assert item.number.many == values


@pytest.mark.parametrize(
    "text", ["the continuous", "a little", "at once", "A2C", "Walker2d", "td3"]
)
def test_words_are_no_numbers(text):
    assert not [item for item in lex(text) if item.number is not None]


def test_places_are_those_of_the_request():
    request = "PPO — „Schrittweite“ 0,0003, İ and ε = 0.2"
    for item in lex(request):
        assert 0 <= item.start < item.end <= len(request)
    assert [request[i.start : i.end] for i in lex(request) if i.number] == ["0,0003", "0.2"]
