"""The example scorer: the contract, its bounds and its abstention."""

import numpy as np
import pytest
from nearest_text_scorer import nearest_text

from scorers import Abstain, Embeddings, check_scorer


def test_it_passes_the_contract():
    assert [f"{o.name}: {o.failure}; {o.remedy}" for o in check_scorer(nearest_text) if o.failure] == []


def test_even_predictions_score_1_and_a_single_predicted_class_scores_lowest():
    text = np.eye(4)
    assert nearest_text(Embeddings(np.tile(text, (3, 1)), np.arange(12) % 4, text=text)) == pytest.approx(1)
    assert nearest_text(Embeddings(np.tile(text[:1], (12, 1)), np.arange(12) % 4, text=text)) == pytest.approx(0.25)


def test_one_class_text_abstains():
    with pytest.raises(Abstain, match="2 class texts"):
        nearest_text(Embeddings([[1.0]], [0], text=[[1.0]]))
