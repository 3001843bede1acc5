# echoes from the locked requirements, by the Makefile's own rule, for a CPU:
#   docker build -t echoes . && docker run --rm -v "$PWD/results:/results" echoes sh -c 'make repro && cp -r metrics /results'
# and for NVIDIA GPUs, with the torch of PyPI, which brings CUDA (the host has the NVIDIA Container Toolkit):
#   docker build --build-arg TORCH_INDEX= -t echoes:cuda . && docker run --rm --gpus all echoes:cuda
FROM python:3.11-slim
# Not pinned: Debian keeps one version of a package in a release, and a pinned one is gone with its next fix.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /echoes
COPY . .
# torch without CUDA; the lock names its version, and this index has it for a CPU.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 DVC_NO_ANALYTICS=1
RUN PIP_EXTRA_INDEX_URL="$TORCH_INDEX" make install && git config --system --add safe.directory /echoes
ENV PATH=/echoes/.venv/bin:$PATH
CMD ["make", "repro"]
