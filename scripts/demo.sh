#!/usr/bin/env bash
# Sets up and refocuses two bundled photographs without ComfyUI: a plain one, whose depth the network that ships here estimates
# and whose blur it takes out first, and one with measured depth.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh core

mkdir -p out
plain=tests/data/astronaut.png
.venv/bin/python -m refocus_core "$plain" --focus 0.45,0.2 --blur 2 -o out/portrait.png

photo=tests/data/motorcycle.png
# The depth picture's white is 2.11 m and its black 5.02 m away (tests/data/LICENSES.md). Focus on the headlight.
.venv/bin/python -m refocus_core "$photo" --depth tests/data/motorcycle_near_bright.png --near-m 2.1103559 --far-m 5.01685 \
  --focus 0.735,0.31 --f-number 1.4 --focal-mm 85 --deblur none -o out/refocused.png
printf '\nPlain photo:    %s\n                %s\nMeasured depth: %s\n                %s\nYour own photo: .venv/bin/python -m refocus_core --help\n' \
  "$PWD/$plain" "$PWD/out/portrait.png" "$PWD/$photo" "$PWD/out/refocused.png"
