# Sourced by the scripts beside it: works from the repository's root, with the environment's programs first on the path.
cd "$(dirname -- "$0")/.."
if [ -d .venv/bin ]; then PATH=$PWD/.venv/bin:$PATH; fi
PYTHON=${PYTHON:-python}
export PATH PYTHON
