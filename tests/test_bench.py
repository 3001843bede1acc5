"""The benchmarks' own arithmetic: what oneDNN says is understood."""

import sys
from importlib import import_module

import pytest

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
        return {name: import_module(name) for name in ("machine",)}


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
