#!/usr/bin/env bash
# After the merge: exactly what was approved, for some of the stacks.
# apply.sh COMMIT LABEL…      COMMIT: what was merged; LABEL: environment=test, environment!=test, ring=one …
source "$(dirname "$0")/common.sh"

commit=$1
shift
fleet pipeline approved --commit "$commit" "$out/approved.json"
keep up.json up --approved "$out/approved.json" "${@/#/--label=}" --yes --parallel "${FLEET_PARALLEL:-4}"
fleet pipeline comment --print "$out/up.json" | tee "$out/up.md"
exit "$code"
