#!/bin/sh
# What the trainings of a full-size track and one call of its model take on a GPU, in ten minutes, as one JSON.
#
#   bench/gpu.sh [TRACK [OUTPUT [SECONDS]]]
#
# Run once more with the same OUTPUT it measures what the time did not reach. PYTHON is the interpreter, of a venv or not.
set -eu
cd "$(dirname "$0")/.."
track=${1:-ntu4dradlm}
PYTHONPATH=src exec "${PYTHON:-python}" bench/gpu.py "$track" "${2:-build/gpu-$track.json}" "${3:-540}"
