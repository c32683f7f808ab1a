#!/usr/bin/env bash
# Sets up (see setup.sh) and refocuses a bundled photograph with its measured depth, without ComfyUI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh core

mkdir -p out
photo=tests/data/motorcycle.png
# The depth picture's white is 2.11 m and its black 5.02 m away (tests/data/LICENSES.md). Focus on the headlight.
.venv/bin/python -m refocus_core "$photo" --depth tests/data/motorcycle_near_bright.png --near-m 2.1103559 --far-m 5.01685 \
  --focus 0.735,0.31 --f-number 1.4 --focal-mm 85 -o out/refocused.png
printf '\nBefore: %s\nAfter:  %s\nYour own photo: .venv/bin/python -m refocus_core --help\n' "$PWD/$photo" "$PWD/out/refocused.png"
