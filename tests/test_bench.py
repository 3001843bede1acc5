"""The benchmarks' own arithmetic: what oneDNN says is understood, work takes turns, a stage grows as it was made to."""

import json
import sys
from importlib import import_module

import numpy as np
import pytest

import tracks
from echoes import imports

# As a library of version 3 and one of version 2 tell it.
VERBOSE = """onednn_verbose,v1,info,oneDNN v3.7.1 (commit 8d263e69)
onednn_verbose,v1,info,cpu,isa:Intel AVX-512 with float16, Intel DL Boost and bfloat16 support
onednn_verbose,v1,primitive,info,template:operation,engine,primitive,implementation,prop_kind,memory_descriptors
onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src:f32::blocked:abcde::f0 dst:f32::blocked:acdeb::f0
onednn_verbose,v1,primitive,exec,cpu,convolution,brgconv:avx512_core,forward_training,src:f32:a:blocked:acdeb::f0
onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx512_core,forward_training,src:f32:a:blocked:acdeb::f0 wei:f32
onednn_verbose,v1,primitive,exec,cpu,matmul,brg_matmul:avx512_core_amx,undef,src:bf16::blocked:ab::f0 wei:bf16
onednn_verbose,exec,cpu,inner_product,gemm:jit,forward_training,src_f32::blocked:ab:f0 wei_f32::blocked:ab:f0
"""


@pytest.fixture(scope="module")
def bench():
    """Name -> the script, imported as its neighbours import it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(imports.ROOT / "bench"), *sys.path])
        names = ("family", "machine", "peers", "scale", "turns")
        return {name: import_module(name) for name in names}


def test_the_first_implementation_of_each_primitive_and_precision_is_told(bench):
    found = bench["machine"].implementations(VERBOSE)
    assert found["isa"] == "Intel AVX-512 with float16, Intel DL Boost and bfloat16 support"
    assert found["primitives"] == {
        "convolution f32": "brgconv:avx512_core",
        "matmul bf16": "brg_matmul:avx512_core_amx",
        "inner_product f32": "gemm:jit",
    }
    assert bench["machine"].implementations("") == {"isa": "", "primitives": {}}


def test_a_sleeping_thread_wakes_up_after_it_was_called(bench):
    wakeup = bench["machine"].wakeups_us()
    assert 0 < wakeup["median"] <= wakeup["p99"]


def leaves(value, path=""):
    """Dotted key -> what stands there, of mappings and lists in each other."""
    if not isinstance(value, dict | list):
        return {path.removeprefix("."): value}
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return {at: leaf for key, one in inner for at, leaf in leaves(one, f"{path}.{key}").items()}


def test_a_variant_changes_what_it_names_of_its_track_and_the_length_of_trainings(bench):
    section = json.loads(json.dumps({"vae": tracks.VAE, "ldm": tracks.LDM, "cd": tracks.CD}))  # nothing in it twice
    numbers = {"tracks": ["a", "b"], "runtime": {"previews": 1}, "a": section}
    before, last = leaves(numbers), len(tracks.UNET["size"]["attention"]) - 1
    for variant in bench["family"].VARIANTS:
        made = leaves(bench["family"].changed(numbers, "a", 7, variant))
        moved = {key.removeprefix("a."): value for key, value in made.items() if value != before.get(key)}
        wanted = {key.replace(".-1", f".{last}"): value for key, value in variant.changes.items()}
        assert {made[f"a.{part}.schedule.steps"] for part in ("vae", "ldm", "cd")} == {7}
        assert {key for key in moved if ".architecture." in key} <= wanted.keys()
        assert all(made[f"a.{key}"] == value for key, value in wanted.items())
    assert leaves(numbers) == before


def rows(stage: str, seconds, memory) -> list[dict]:
    counts = (4000, 1000, 2000)
    return [
        {"frames": n, "stage": stage, "seconds": seconds(n), "peak_memory_mb": memory(n), "disk_mb": n / 100}
        for n in counts
    ]


def test_a_straight_line_and_a_power_are_found_and_followed_to_a_million_frames(bench):
    line = bench["scale"].growth(rows("voxelize", lambda n: 2 + n / 100, lambda n: 300 + n / 1000))
    assert 0.9 < line["exponent"] < 1
    assert (line["seconds_per_1000"], line["start_s"]) == (pytest.approx(10), pytest.approx(2))
    assert (line["mb_per_1000"], line["start_mb"]) == (pytest.approx(1), pytest.approx(300))
    assert (line["planned_s"], line["planned_mb"]) == (pytest.approx(10_002), pytest.approx(1300))
    assert line["planned_disk_mb"] == pytest.approx(10_000)
    power = bench["scale"].growth(rows("evaluate", lambda n: 1e-6 * n**2, lambda n: 300.0))
    assert (power["exponent"], power["planned_s"]) == (pytest.approx(2), pytest.approx(1e6))
    assert bench["scale"].growth(rows("evaluate", float, float)[:1]) == {}


def test_the_table_has_a_row_for_each_stage_and_its_columns_everywhere(bench):
    text = bench["scale"].table(rows("voxelize", lambda n: n / 100, lambda n: 300.0))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(bench["scale"].STAGES)
    assert {line.count("|") for line in lines} == {9}
    assert "| voxelize | 10.0, 300 | 20.0, 300 | 40.0, 300 | 10 | 1 |" in text


def test_work_takes_turns_and_every_other_round_goes_backwards(bench):
    order = []
    taken = bench["turns"].seconds([lambda: order.append("a"), lambda: order.append("b")], 3)
    assert "".join(order) == "ab" + "aabb" + "bbaa" + "aabb"  # warmed, then each right after itself
    assert taken.shape == (3, 2)
    assert (taken > 0).all()


def test_a_ratio_is_the_median_of_those_within_a_turn(bench):
    turns = bench["turns"]
    taken = np.array([[1.0, 2.0], [10.0, 30.0], [100.0, 400.0]])  # a machine that slows down
    works = [turns.Work("ours", print, ""), turns.Work("theirs", print, "old")]
    row = turns.told("", works, taken).splitlines()[-1]
    assert row == "| theirs | 30000 | 3 | 2.5 to 3.5 | old |"


def test_a_peer_that_is_missing_has_a_row_that_says_so(bench):
    turns = bench["turns"]
    absent = turns.optional("theirs", lambda: import_module("no_such_package"))
    told = turns.table("", [turns.Work("ours", lambda: None, ""), absent], 1)
    assert told.splitlines()[-1] == "| theirs | - | - | - | not installed: No module named 'no_such_package' |"


def test_every_part_of_the_peers_has_its_module_and_no_other_is_taken(bench):
    peers = bench["peers"]
    assert all((imports.ROOT / "bench" / f"peer_{part}.py").is_file() for part in peers.PARTS)
    with pytest.raises(SystemExit, match="got clods"):
        peers.main("clods")
