"""python -m bench.NAME: ours and a peer on the same work in one run; --json, --check, --quick."""
