# Sourced by the scripts beside it with $root set: the virtual environment and the programs from Debian.
#
#   PYTHON=python3.12         the interpreter to use, 3.11 or newer
#   MAILSERVER_VENV=DIR       where the virtual environment goes (default: .venv)
#   MAILSERVER_NO_INSTALL=1   never call apt-get, only say what is missing

VENV=${MAILSERVER_VENV:-$root/.venv}

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# as_root COMMAND...: fails quietly when this user may not become root without a password
as_root() {
    if [ -n "${MAILSERVER_NO_INSTALL:-}" ] || ! command -v apt-get >/dev/null 2>&1; then
        return 1
    elif [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && sudo -n "$@"
    fi
}

# install_packages PACKAGE...: true when they are installed afterwards; the daemons among them are not started now
install_packages() {
    as_root true || return 1
    say "Installing from Debian: $*"
    as_root apt-get update -qq >/dev/null || true
    as_root sh -c '
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap "rm -f $policy" EXIT
            printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod +x "$policy"
        fi
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    ' sh "$@"
}

# build_of INTERPRETER: fails when it is too old; "tuned" when it was built with its profile, as distributions build theirs
# (under /usr, whose record of the build may not say so), and can make environments; "plain" otherwise.
build_of() {
    "$1" -c '
import importlib.util, sys, sysconfig
if sys.version_info < (3, 11):
    sys.exit(1)
is_tuned = sys.base_prefix == "/usr" or "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
print("tuned" if is_tuned and importlib.util.find_spec("ensurepip") else "plain")' 2>/dev/null
}

# The interpreter of $PYTHON when it is new enough; else the first on the PATH that is tuned, else the first new enough.
find_python() (
    if [ -n "${PYTHON:-}" ] && build_of "$PYTHON" >/dev/null; then
        command -v "$PYTHON"
        exit
    fi
    first=
    IFS=:
    for name in python3 python3.13 python3.12 python3.11; do
        for folder in $PATH; do
            [ -x "$folder/$name" ] && build=$(build_of "$folder/$name") || continue
            first=${first:-$folder/$name}
            if [ "$build" = tuned ]; then
                printf '%s\n' "$folder/$name"
                exit
            fi
        done
    done
    [ -n "$first" ] && printf '%s\n' "$first"
)

# A virtual environment with pip, or without it where the interpreter's own pip can install into it.
make_venv() {
    python=$(find_python) || fail "Python 3.11 or newer is needed: apt-get install python3"
    if [ -e "$VENV" ]; then
        [ -e "$VENV/pyvenv.cfg" ] || fail "$VENV is there, but is no virtual environment"
        if "$VENV/bin/python" -c '' 2>/dev/null && { [ -x "$VENV/bin/pip" ] || has_pip; }; then
            return
        fi
        rm -rf "$VENV"
    fi
    "$python" -m venv "$VENV" >/dev/null 2>&1 && return
    rm -rf "$VENV"
    if has_pip && "$python" -m venv --without-pip "$VENV" 2>/dev/null; then
        return
    fi
    rm -rf "$VENV"
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    install_packages "$package" || fail "Python's venv module is missing: sudo apt-get install $package"
    "$python" -m venv "$VENV" || fail "$python -m venv does not work here"
}

has_pip() { "$python" -m pip --version >/dev/null 2>&1; }

# What the environment should hold: a lock file's hash, the interpreter's version, where the sources are.
lock_stamp() {
    "$VENV/bin/python" - "$1" "$root" <<'PYTHON'
import hashlib, pathlib, sys
print(hashlib.sha256(pathlib.Path(sys.argv[1]).read_bytes()).hexdigest(), *sys.version_info[:2], sys.argv[2])
PYTHON
}

# The program in the environment: its sources found where they lie, and the `mailserver` command.
link_sources() {
    "$VENV/bin/python" - "$VENV" "$root" <<'PYTHON'
import pathlib, sys, sysconfig
venv, root = map(pathlib.Path, sys.argv[1:])
(pathlib.Path(sysconfig.get_paths()["purelib"]) / "mailserver.pth").write_text(f"{root / 'src'}\n")
command = venv / "bin/mailserver"
shebang = f"""#!/bin/sh\n'''exec' "{venv / 'bin/python'}" "$0" "$@"\n' '''\n"""
command.write_text(shebang + "from mailserver.app.main import main\n\nmain()\n")
command.chmod(0o755)
PYTHON
}

install_lock() {
    lock=$root/requirements/$1.txt
    stamp=$(lock_stamp "$lock")
    [ "$(cat "$VENV/.lock-$1" 2>/dev/null)" = "$stamp" ] && return
    say "Installing the dependencies of requirements/$1.txt into $VENV"
    if [ -x "$VENV/bin/pip" ]; then
        set -- "$1" "$VENV/bin/python" -m pip
    else
        set -- "$1" "$python" -m pip --python "$VENV/bin/python"
    fi
    name=$1
    shift
    "$@" install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" ||
        fail "The dependencies could not be installed (see above)."
    link_sources || fail "$VENV cannot be written"
    printf '%s\n' "$stamp" >"$VENV/.lock-$name"
    if [ "$name" = dev ]; then      # it holds everything of run.txt too
        lock_stamp "$root/requirements/run.txt" >"$VENV/.lock-run"
    fi
}

# setup run|dev: afterwards $VENV/bin/python has everything of requirements/run.txt or dev.txt; one at a time
setup() {
    (
        if command -v flock >/dev/null 2>&1; then flock 9; fi
        make_venv
        install_lock "$1"
    ) 9>"$VENV.lock" || exit 1
}

# setup_debian: the programs of requirements/debian.txt; in CI all of them must be there
setup_debian() {
    packages=$(sed 's/#.*//' "$root/requirements/debian.txt")
    if ! command -v dpkg-query >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        say "This is no Debian or Ubuntu; tests that run other programs want these:" $packages
        return
    fi
    # shellcheck disable=SC2086
    there=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null |
        sed -n 's/ installed$//p')
    missing=
    for package in $packages; do
        printf '%s\n' "$there" | grep -qxF "$package" || missing="$missing $package"
    done
    [ -z "$missing" ] && return
    # shellcheck disable=SC2086
    if ! install_packages $missing; then
        say "Some tests need programs that are not installed: sudo apt-get install$missing"
        [ "${CI:-}" = true ] && exit 1
    fi
    return 0
}
