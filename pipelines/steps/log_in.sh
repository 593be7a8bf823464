#!/usr/bin/env bash
# What stack files do not hold: the key that Cisco's jump hosts know us by, out of the vault, for this job only.
# The job is logged in to Azure by its own identity (`az`); FLEET_VAULT and GATEWAY_KEY_FILE come from its settings.
set -euo pipefail

[[ -n ${FLEET_VAULT:-} ]] || exit 0
umask 077
rm -f "$GATEWAY_KEY_FILE"
az keyvault secret download --vault-name "$FLEET_VAULT" --name gateway-key --file "$GATEWAY_KEY_FILE" --output none
