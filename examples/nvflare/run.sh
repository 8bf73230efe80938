#!/usr/bin/env bash
# FLARE's simulator from a clone: four sites train a network on digits, and what monitoring found.
#
#   examples/nvflare/run.sh [FOLDER] [OPTIONS of digits/job.py]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3)
if ! "$python" -c "import nvflare, sklearn, unsilent" 2>/dev/null; then
    echo "$python lacks something: make test PYTEST_ARGS=--version sets .venv up, or" \
        "pip install -c constraints.txt -e '.[nvflare]' scikit-learn" >&2
    exit 2
fi
mkdir -p "${1:-$root/runs/nvflare}"
work=$(cd "${1:-$root/runs/nvflare}" && pwd)
shift || true

cd "$here/digits"
"$python" job.py --workspace "$work" "$@"
found=$work/digits/server/simulate_job/unsilent
"$python" -m unsilent.cli findings "$found"
"$python" -m unsilent.cli privacy spent "$found"
echo "the run's folder: $found"
