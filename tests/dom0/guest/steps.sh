# Runs a scenario's steps: the first command that fails ends them, and the trace says which one it was.
. /lib/dom0.sh
set -ex
. /scenario/steps
{ set +x; } 2>/dev/null
capture
