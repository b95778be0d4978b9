#!/bin/sh
# The gate that a change of policies passes before it is merged: lint, test, simulate against what is in force, compile,
# sign, verify. The first step that fails ends it, with that step's exit code (1: the check failed, 2: unusable input).
#
#   POLICIES   the changed policies and their tests       (policies)
#   BASELINE   the policies or the bundle in force        (none: nothing is compared)
#   TRAFFIC    captured traffic, files or globs           (none: nothing is simulated)
#   SCHEMAS    tools/list results for lint, files         (none)
#   OUT        directory of what is made                  (build)
#   SERIAL     number of the release                      (1)
#   KEY, PUB   signing key and the public keys to verify  (none: nothing is signed)
#   EXPIRES    how long the signature holds               (90d)
#   MAX_NEWLY_DENIED, MAX_NEWLY_ALLOWED                   (0.1%, 0)
#   MIN_COVERAGE, MIN_MUTATION                            (90%, none)
set -eu
policies=${POLICIES:-policies}
out=${OUT:-build}
mkdir -p "$out"
rm -f "$out"/bundle.tar.gz* "$out"/simulation.*

step() {
	echo "policy gate: $1" >&2
}

step lint
set -- "$policies"
for s in ${SCHEMAS:-}; do
	set -- "$@" --schema "$s"
done
aegisctl lint "$@"

step test
set -- "$policies" --min-coverage "${MIN_COVERAGE:-90%}"
if [ -n "${MIN_MUTATION:-}" ]; then
	set -- "$@" --min-mutation "$MIN_MUTATION"
fi
aegisctl test "$@"

if [ -n "${TRAFFIC:-}" ]; then
	step simulate
	# The report is kept whatever the gates say: people want to read why.
	set -- --policy "$policies" --quiet
	if [ -n "${BASELINE:-}" ]; then
		set -- "$@" --baseline "$BASELINE" --max-newly-denied "${MAX_NEWLY_DENIED:-0.1%}" \
			--max-newly-allowed "${MAX_NEWLY_ALLOWED:-0}"
	fi
	# shellcheck disable=SC2086 # several files
	aegisctl simulate $TRAFFIC "$@" --format markdown -o "$out/simulation.md" || code=$?
	# shellcheck disable=SC2086
	aegisctl simulate $TRAFFIC --policy "$policies" --quiet --format json -o "$out/simulation.json"
	if [ "${code:-0}" -ne 0 ]; then
		exit "$code"
	fi
fi

step compile
aegisctl compile "$policies" -o "$out/bundle.tar.gz" --serial "${SERIAL:-1}"

if [ -n "${KEY:-}" ]; then
	step sign
	set -- "$out/bundle.tar.gz" --key "$KEY" --expires "${EXPIRES:-90d}"
	if [ -n "${TRAFFIC:-}" ]; then
		set -- "$@" --attest "$out/simulation.json"
	fi
	aegisctl sign "$@"

	step verify
	set -- "$out/bundle.tar.gz" --min-serial "${SERIAL:-1}"
	for k in ${PUB:?the public key that the bundle is verified with}; do
		set -- "$@" --key "$k"
	done
	aegisctl verify "$@"
fi
step passed
