#!/usr/bin/env bash
# By hand: another outbound secret for a stack, in two requests: «begin», and «finish» an hour after its `up`.
# rotate.sh STACK begin|finish      ends with a branch on origin; opening the request is a person's part.
source "$(dirname "$0")/common.sh"

branch="rotate-$1-$2"
fleet rotate "$2" "$1"
git switch --create "$branch"
git -c user.name=fleet -c user.email=fleet@localhost \
  commit --quiet --message "$1: outbound secret, $2 the change" -- "stacks/Pulumi.$1.yaml"
git push --force origin "HEAD:refs/heads/$branch"
