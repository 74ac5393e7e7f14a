# The tools that scripts/setup.sh installed, first in the path. To be sourced from the root of the repository.
export PATH="$PWD/.venv/bin:$HOME/.cargo/bin:$PATH"
