#!/usr/bin/env bash
# A pull or merge request: doctor and preview of the stacks that it changes, as one comment, and the plan to approve.
# review.sh BASE      BASE: the branch or commit that it is to be merged into.
source "$(dirname "$0")/common.sh"

keep doctor.json doctor --changed-since "$1"
doctor=$code
keep preview.json preview --changed-since "$1" --save "$out/approved.json"
fleet pipeline comment "$out/doctor.json" "$out/preview.json"
# That something would change is what a request is for.
[[ $doctor != 1 && $code != 1 ]]
