#!/usr/bin/env bash
# check-llama-cpp.sh RUN [PICTURE...]: converts a trained run for llama.cpp, opens language model and mmproj there, and compares its
# greedy answers with ours. Opt-in: builds llama-cpp-python from source into the cache folder at first (many minutes, a C++
# compiler). DTYPE=f32 (default), f16, bf16 or q8_0. The last line is JSON; exit code 1 where prompt ids
# or answers about fitted pictures differ.
set -euo pipefail
run=${1:?usage: check-llama-cpp.sh RUN [PICTURE...]}
shift
here=$(cd "$(dirname "$0")/.." && pwd)
cache=${BASIC_MLLM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/basic-mllm}/peers
python=${LLAMA_CPP_PYTHON:-}
if [ -z "$python" ]; then
  venv=$cache/llama-cpp-python-0.3.36
  if [ ! -e "$venv/complete" ]; then
    mkdir -p "$cache"
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install llama-cpp-python==0.3.36 >&2
    touch "$venv/complete"
  fi
  python=$venv/bin/python
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node "$here/packages/cli/bin.mjs" convert "$run" "$work/hf" >&2
node "$here/packages/cli/bin.mjs" convert "$run" "$work/gguf" --to gguf --dtype "${DTYPE:-f32}" >&2
node "$here/scripts/export/ours.mjs" "$run" "$work/hf" "$work/ours" "$@" >&2
"$python" "$here/scripts/export/llama_cpp_answers.py" "$work/gguf" "$work/ours"
