#!/usr/bin/env bash
# Sets up (see setup.sh) and refocuses a bundled photograph with its measured depth, without ComfyUI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh core
