"""Rows of frames.csv, and what is none."""

import pytest

from echoes.errors import InputError
from echoes.folds import tables
from echoes.folds.summary import Measured

TABLE = """\
frame,stretch,protocol,method,chamfer_m,f1@1.0m
4,1,points,radar,2.5,0.25
4,1,cells,"cd_1",,1
"""


def read(tmp_path, text):
    path = tmp_path / "frames.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return tables.read(path, 3)


def test_a_row_is_a_frame_a_protocol_and_a_method_without_what_it_has_no_value_of(tmp_path):
    assert read(tmp_path, TABLE) == [
        Measured(3, "4", "1", "points", "radar", {"chamfer_m": 2.5, "f1@1.0m": 0.25}),
        Measured(3, "4", "1", "cells", "cd_1", {"f1@1.0m": 1.0}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace("2.5", "far"), "frames.csv:2: chamfer_m: expected a number, got 'far'"),
        (TABLE.replace("2.5", "nan"), "frames.csv:2: chamfer_m: expected a finite number, got nan"),
        (TABLE.replace("stretch", "block"), "expected the columns .* got no stretch"),
        (TABLE.splitlines()[0], "expected frames, got none"),
        ("", "expected the columns .* got no frame, stretch, protocol, method"),
        (b"frame,\xff\n", "expected a table, got"),
    ],
)
def test_what_is_no_such_table_is_refused_with_its_path(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(str(tmp_path / "frames.csv"))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"frames\.csv: expected a table, got .*No such file"):
        tables.read(tmp_path / "frames.csv", 0)
