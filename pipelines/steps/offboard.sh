#!/usr/bin/env bash
# By hand: a customer leaves. Outbound off, MX back, drain, then removal; it waits as long as mail may still come.
# offboard.sh STACK
source "$(dirname "$0")/common.sh"

keep offboard.json offboard "$1" --yes
fleet pipeline comment --print "$out/offboard.json"
exit "$code"
