import numpy as np
import pytest
from nearest_text_scorer import nearest_text

from scorers import Abstain, Embeddings, check_scorer


def test_it_keeps_the_contract():
    assert [f"{o.name}: {o.found}" for o in check_scorer(nearest_text) if o.found] == []


def test_even_guesses_score_1_and_one_sided_ones_least():
    text = np.eye(4)
    assert nearest_text(Embeddings(np.tile(text, (3, 1)), np.arange(12) % 4, text=text)) == pytest.approx(1)
    assert nearest_text(Embeddings(np.tile(text[:1], (12, 1)), np.arange(12) % 4, text=text)) == pytest.approx(0.25)


def test_one_text_is_no_choice():
    with pytest.raises(Abstain, match="2 class texts"):
        nearest_text(Embeddings([[1.0]], [0], text=[[1.0]]))
