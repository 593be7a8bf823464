# shellcheck shell=bash
# Sourced by the steps. They run in the project's folder, after `make setup`; $OUT is what the job keeps.
set -euo pipefail
out=${OUT:-out}
mkdir -p "$out"
# Fleets without Cisco's jump hosts have no such key: see log_in.sh.
[[ -f ${GATEWAY_KEY_FILE:-} ]] || unset GATEWAY_KEY_FILE

fleet() { "${PYTHON:-.venv/bin/python}" -m fleet "$@"; }

# keep FILE COMMAND…: the command's JSON into a file of $OUT; its exit code into $code. 1 is an error, 2 is
# changes or drift: what that means for the job is the step's business.
keep() {
  local file=$1
  shift
  code=0
  # shellcheck disable=SC2034 # for the step that calls it
  fleet "$@" --json >"$out/$file" || code=$?
}
