#!/usr/bin/env bash
# After all parts of the drift run: one issue, opened, written anew, or closed.
source "$(dirname "$0")/common.sh"

fleet pipeline issue "$out"/drift-*.json
