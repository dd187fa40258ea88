#!/usr/bin/env bash
# check-hf.sh [RUN [PICTURE...]]: converts a trained run for transformers, opens the folder there, and compares its logits (in
# float64) with ours on the same ids and pixels; ids and pixels with those of its AutoProcessor. Opt-in: installs transformers
# and PyTorch (some gigabytes) into the cache folder at first. Without RUN: trains short ones, with a SigLIP and a CLIP encoder,
# on one image a picture and on tiles. One line of JSON a run; exit code 1 where a logit differs by more than 1e-4, a pixel by
# more than 1e-6, or an id.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
cache=${BASIC_MLLM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/basic-mllm}/peers
venv=$cache/transformers-5.23.0
torch=$cache/torch-2.15.0
if [ ! -e "$venv/complete" ]; then
  mkdir -p "$cache"
  python3 -m venv "$venv" >&2
  # The PyTorch of the benchmarks, where it is there already.
  if [ -e "$torch/complete" ]; then
    site=$("$venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')
    "$torch/bin/python" -c 'import site; print(site.getsitepackages()[0])' >"$site/torch.pth"
  else
    "$venv/bin/pip" install torch==2.15.0 numpy==2.3.5 >&2
  fi
  "$venv/bin/pip" install transformers==5.23.0 pillow >&2
  touch "$venv/complete"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() {
  local run=$1
  shift
  rm -rf "$work/hf" "$work/ours"
  node "$here/packages/cli/bin.mjs" convert "$run" "$work/hf" >&2 &&
    node "$here/scripts/export/ours.mjs" "$run" "$work/hf" "$work/ours" "$@" >&2 &&
    "$venv/bin/python" "$here/scripts/export/transformers_logits.py" "$work/hf" "$work/ours"
}

if [ $# -gt 0 ]; then
  check "$@"
  exit
fi
cd "$here"
failed=0
for encoder in tiny-siglip golden/models/clip; do
  for ratio in square pad anyres; do
    node packages/cli/bin.mjs train smoke --steps 20 --no-report --out "$work/run" \
      --set "model.vision=$encoder" --set "model.imageAspectRatio=$ratio" >&2
    check "$work/run" || failed=1
    rm -rf "$work/run"
  done
done
exit $failed
