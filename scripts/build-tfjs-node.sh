#!/usr/bin/env bash
# build-tfjs-node.sh [cpu|gpu] [PROJECT]: installs @tensorflow/tfjs-node (or -gpu) 4.22 and builds its binding against a current
# TensorFlow, taken from Python's package; its own installer would bring TensorFlow 2.9 of 2022. `--backend tensorflow` runs on it.
# PROJECT: a folder in which basic-mllm is installed. Without it: a folder in .cache of this clone, and what to set is printed.
# Linux; needs npm, Python 3 with pip, g++ and 3 GB. gpu: also the packages that `tensorflow[and-cuda]` names, 6 GB more.
set -euo pipefail
kind=${1:-cpu}
tfjs=4.22.0
tensorflow=2.21.0
headers=1.9.0
case $kind in
  cpu) package=tensorflow-cpu name=tfjs-node ;;
  gpu) package=tensorflow name=tfjs-node-gpu ;;
  *)
    echo "build-tfjs-node.sh: the kind is cpu or gpu, not \"$kind\"." >&2
    exit 2
    ;;
esac
if [ "$(uname -s)" != Linux ]; then
  echo "build-tfjs-node.sh: TensorFlow's package has its C library on Linux alone, and this is $(uname -s)." >&2
  exit 1
fi
for program in npm python3 g++; do
  if ! command -v $program >/dev/null; then
    echo "build-tfjs-node.sh: $program is missing. Install it, then start again." >&2
    exit 1
  fi
done
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
project=${2:-$here/.cache/tensorflow/$kind}
mkdir -p "$project"
cd "$project"
work=$(mktemp -d "$PWD/.build-XXXXXX")
trap 'rm -rf "$work"' EXIT

# The package itself. Its install script is what downloads the old TensorFlow.
[ -f package.json ] || echo '{ "private": true }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund "@tensorflow/$name@$tfjs"
module=$PWD/node_modules/@tensorflow/$name
# Backends register with one copy of tfjs-core: that of basic-mllm, where a folder above has it.
if (cd .. && node -e "require.resolve('@tensorflow/tfjs-core', { paths: [process.cwd()] })" 2>/dev/null); then
  rm -rf node_modules/@tensorflow/tfjs-core
fi

# TensorFlow's C library and headers. They are the same for every version of Python.
fetch() {
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version 3.12 --implementation cp --platform "manylinux_2_27_$(uname -m)" \
    --platform "manylinux2014_$(uname -m)" --platform "manylinux_2_17_$(uname -m)" --dest "$work/wheels" "$@"
}
unpack() {
  python3 - "$work/wheels" "$module/deps" "$@" <<'PYTHON'
import pathlib, re, sys, zipfile
wheels, target, *patterns = sys.argv[1:]
for wheel in pathlib.Path(wheels).glob("*.whl"):
    with zipfile.ZipFile(wheel) as package:
        for name in package.namelist():
            if any(re.match(pattern, name) for pattern in patterns): package.extract(name, target)
    wheel.unlink()
PYTHON
}
rm -rf "$module/deps"
fetch "$package==$tensorflow"
unpack 'tensorflow/libtensorflow_(cc|framework)\.so' 'tensorflow/include/' "${package/-/_}-$tensorflow\.dist-info/METADATA"
if [ "$kind" = gpu ]; then
  sed -n "s/^Requires-Dist: *\(nvidia-[a-z0-9-]*\) *(\{0,1\}\([^);]*\))\{0,1\} *;.*and-cuda.*/\1\2/p" \
    "$module"/deps/*.dist-info/METADATA | tr -d ' ' >"$work/cuda"
  # TensorFlow looks for these beside itself.
  while read -r each; do
    fetch "$each"
    unpack 'nvidia/.*/lib/'
  done <"$work/cuda"
fi

# The binding: two files of C++ against Node's stable interface.
npm install --silent --ignore-scripts --no-audit --no-fund --no-save --prefix "$work" "node-api-headers@$headers"
if [ ! -d "$module/binding" ]; then
  (cd "$work" && npm pack --silent "@tensorflow/tfjs-node@$tfjs" >/dev/null && tar xzf tensorflow-tfjs-node-$tfjs.tgz)
  cp -r "$work/package/binding" "$module/"
fi
binding=$(node -p "require('@mapbox/node-pre-gyp').find('$module/package.json')")
mkdir -p "$(dirname "$binding")"
g++ -std=c++17 -O2 -w -fPIC -shared -DNAPI_VERSION=8 -I"$module" -I"$work/node_modules/node-api-headers/include" \
  -I"$module/deps/tensorflow/include" "$module/binding/tfjs_backend.cc" "$module/binding/tfjs_binding.cc" \
  -L"$module/deps/tensorflow" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 \
  -Wl,-rpath,'$ORIGIN/../../deps/tensorflow' -o "$work/tfjs_binding.node"
mv "$work/tfjs_binding.node" "$binding"
rm -rf "$module/deps/tensorflow/include"

TF_CPP_MIN_LOG_LEVEL=3 node -e "
const tf = require('@tensorflow/$name');
const [product] = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync();
if (product !== 3) throw new Error('a product of ones is ' + product + ', not 3');
console.log('@tensorflow/$name $tfjs on TensorFlow', tf.backend().binding.TF_Version + (tf.backend().isUsingGpuDevice ? ', on the GPU' : ', on the CPU'));"
[ $# -ge 2 ] || echo "export BASIC_MLLM_TENSORFLOW=$project"
