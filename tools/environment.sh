# Sourced by tools/quickstart and tools/test: make_environment FOLDER EXTRA
# makes a virtual environment and installs this checkout, which $root names, with the extra into it.

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

find_python() {
    for candidate in "${PYTHON:-}" python3 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

make_environment() {
    local folder=$1 extra=$2 python log
    python=$(find_python) || fail "needs Python 3.10 or newer: install it, or name it with PYTHON=/path/to/python3"
    log=$(mktemp)
    if [ ! -x "$folder/bin/pip" ]; then
        echo "making a virtual environment in $folder"
        "$python" -m venv "$folder" >"$log" 2>&1 || fail "cannot make a virtual environment: $(tail -n 1 "$log") (Debian: apt-get install python3-venv)"
    fi
    echo "installing walloc-data and what it needs (the first time a few minutes)"
    "$folder/bin/python" -m pip install --quiet --constraint "$root/constraints.txt" "torch==2.13.0" >"$log" 2>&1 ||
        fail "cannot install torch: $(grep -m 1 -i error "$log" || tail -n 1 "$log")"
    "$folder/bin/python" -m pip install --quiet --constraint "$root/constraints.txt" --editable "$root[$extra]" >"$log" 2>&1 ||
        fail "cannot install walloc-data: $(grep -m 1 -i error "$log" || tail -n 1 "$log")"
    rm -f "$log"
}
