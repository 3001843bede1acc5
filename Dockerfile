# echoes on a CPU, from the locked requirements by the Makefile's own rule:
#   docker build -t echoes . && docker run --rm -v "$PWD/results:/results" echoes sh -c 'make repro && cp -r metrics /results'
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /echoes
COPY . .
# torch without CUDA; the lock names its version, and this index has it for a CPU.
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu PIP_NO_CACHE_DIR=1 DVC_NO_ANALYTICS=1
RUN make install && git config --system --add safe.directory /echoes
ENV PATH=/echoes/.venv/bin:$PATH
CMD ["make", "repro"]
