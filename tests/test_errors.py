"""Messages are one line that a terminal shows, whatever came."""

from echoes.errors import LONGEST, InputError, one_line


def test_a_message_is_one_line_without_what_steers_a_terminal():
    told = str(InputError("a\nb.bag: expected a topic, got \x1b[2J\u2028\udcff\0 é"))
    assert told == r"a\nb.bag: expected a topic, got \x1b[2J\u2028\udcff\x00 é"


def test_a_message_without_end_keeps_its_start_and_its_end():
    told = str(InputError("a.yaml: expected a number, got " + "9" * 10**6 + " in line 3"))
    assert len(told) < LONGEST
    assert told.startswith("a.yaml: expected a number, got 9")
    assert told.endswith("9 in line 3")


def test_a_message_that_was_raised_before_stays_as_it_is():
    error = InputError("a\nb: " + "x" * 5000)
    assert str(InputError(str(error))) == str(error)


def test_what_a_library_says_is_told_in_one_line_and_by_its_name_where_that_is_nothing():
    assert one_line(ValueError("a bad\n  header\t\n")) == "a bad header"
    assert one_line(MemoryError(" ")) == one_line(MemoryError()) == "MemoryError"
