# Runs a scenario's steps: the first command that fails ends them, and the trace says which one it was.
. /lib/dom0.sh
. /lib/live.sh
# A capture is wanted most of all when a step failed.
trap 'rc=$?; set +ex; end_background; capture; exit $rc' EXIT
set -ex
. /scenario/steps
