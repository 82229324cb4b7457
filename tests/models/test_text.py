"""The text encoder: its hash, what padding means to it, and that the order of words counts."""

import torch

from models import Condition
from models.condition import LONGEST
from models.text import GRAMS, ROWS, TextEncoder, pieces


def encoder() -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder(32, 2, 8).eval()


def written(*captions: str) -> torch.Tensor:
    text = Condition.written(*captions).text
    assert text is not None
    return text


def test_a_piece_is_sent_to_the_row_of_its_hash():
    caption = "a réd two left of ünë".encode()
    found = pieces(torch.tensor([list(caption)]))[0]
    for place, length in enumerate(GRAMS):
        for end in range(len(caption)):
            code = 0
            for byte in (bytes(length) + caption)[end + 1 : end + 1 + length]:
                code = 257 * code + byte
            assert found[end, place] == place * ROWS + (code * 2654435761 % 2**32) * ROWS // 2**32


def test_pieces_of_common_words_do_not_share_rows():
    words = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "red",
        "green",
        "blue",
        "yellow",
        "purple",
        "white",
        "left",
        "right",
        "above",
        "thin",
    ]
    last = [pieces(written(" " + word))[0, -1].tolist() for word in words]
    assert len({tuple(rows) for rows in last}) == len(words)


def test_what_is_behind_a_caption_changes_nothing():
    text = encoder()
    short, long = "a red two", "a red two left of a blue seven"
    alone, beside = text(written(short)), text(written(short, long))
    torch.testing.assert_close(beside[:1, : len(short)], alone, rtol=1e-5, atol=1e-5)


def test_a_byte_knows_what_was_said_before_it_and_nothing_else():
    text = encoder()
    for block in text.blocks.layers:
        torch.nn.init.normal_(block.self_attn.out_proj.weight, std=0.1)
    first, second = text(written("a red two left of a blue one", "a red two above a blue one"))
    torch.testing.assert_close(first[: len("a red two ")], second[: len("a red two ")])
    assert (first[-1] - second[len("a red two above a blue one") - 1]).abs().max() > 0.01


def test_nothing_and_the_longest_caption_are_finite():
    assert encoder()(written("", "x" * LONGEST)).isfinite().all()
