#!/usr/bin/env bash
# Sets up (see setup.sh) and runs every check: lint, format, types, import rules, and all tests, in a real ComfyUI too.
# Arguments go to pytest, which then runs once: scripts/test.sh tests/unit -k kernel
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh tests

step() {
  printf '\n== %s\n' "$1"
  shift
  "$@"
}
export PATH="$PWD/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH="$PWD/tests/comfy/shim" # see there: torchvision beside a CPU torch
step "lint" ruff check .
step "format" ruff format --check .
step "types" basedpyright
step "import rules" lint-imports
step "security" bandit --quiet --configfile pyproject.toml --recursive __init__.py nodes refocus_core tools bench
# Without the plugins for high entropy: hashes of weights and packages look like keys to them.
git ls-files -z | step "secrets" xargs -0 detect-secrets-hook --no-verify \
  --disable-plugin Base64HighEntropyString --disable-plugin HexHighEntropyString
step "page" npm --prefix web_src --silent run check
# Here everything is installed, so a skipped test is a failure.
export REFOCUS_NO_SKIPS=1
if [ $# -gt 0 ]; then
  step "tests" python -m pytest "$@"
else
  # One process for each core, with one thread each: threads that share a core wait for one another. ComfyUI's tests share one
  # server and its pages, so they stay together.
  OMP_NUM_THREADS=1 step "tests of the core" python -m pytest tests/unit -m "not alone" --numprocesses auto --maxprocesses 8 --dist worksteal
  step "tests of the core that run alone" python -m pytest tests/unit -m alone
  step "tests in ComfyUI" python -m pytest tests/comfy
fi
