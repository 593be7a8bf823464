#!/usr/bin/env bash
# By the clock: what somebody changed by hand, in one part of the fleet.
# drift.sh [I/N]      the part, where several machines share the work
source "$(dirname "$0")/common.sh"

shard=${1:-1/1}
keep "drift-${shard%/*}.json" drift --shard "$shard" --parallel "${FLEET_PARALLEL:-4}"
# An error becomes part of the issue; only a run that says nothing at all fails here.
[[ -s $out/drift-${shard%/*}.json ]]
