"""Accuracy and confusion of labels by hand."""

import numpy as np
import pytest

from echoes.evaluation import classification


def test_accuracy_is_the_share_of_right_samples():
    labels, predictions = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 0])
    assert classification.accuracy(labels, predictions, 3) == pytest.approx(3 / 5)
    assert classification.accuracy(labels, labels, 5) == 1.0


def test_confusion_has_the_labels_in_rows():
    found = classification.confusion(np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 0]), 4)
    assert found.tolist() == [[2, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found.dtype == np.int64
