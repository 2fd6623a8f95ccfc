"""What people do all day works inside the wall, for root and for an ordinary user."""

import shlex

import pytest

from tests.support.grounds import Ground

SHELL = {
    "edit-and-create": "echo hi > new.txt && sed -i s/hello/bye/ src.txt && mkdir -p a/b && mv new.txt a/b/ && rm a/b/new.txt",
    "read-the-other-grant": "grep -q read ../read/notes.txt",
    "commit": "git add -A && git -c user.name=a -c user.email=a@b commit -qm first && git log --oneline | grep -q first",
    "compile-and-run": "cd $TMPDIR && echo 'int main(){return 0;}' > t.c && gcc t.c -o t && ./t",
    "compile-in-tmp": "cd /tmp && echo 'int main(){return 0;}' > t.c && gcc t.c -o t && ./t",
    "pipes-and-jobs": "cat <(echo a) <(echo b) | sort | tail -1 | grep -q b && (sleep 0.1 & wait) && cat <<<x >/dev/null",
    "standard-streams-by-name": "echo x > /dev/stdout | cat < /dev/stdin > /dev/null; echo y > /dev/stderr",
    "home-and-scratch": 'cd && touch f && touch "$TMPDIR/g" && test "$PWD" = "$HOME"',
    "node": 'node -e \'const r=require("child_process").spawnSync("echo",["x"]);process.exit(r.stdout=="x\\n"?0:1)\'',
    "node-interfaces": 'node -e \'require("os").networkInterfaces().lo[0].address=="127.0.0.1"||process.exit(1)\'',
    "node-interfaces-in-a-module": (
        "echo 'import {networkInterfaces} from \"node:os\"; networkInterfaces();' > i.mjs && node i.mjs"
    ),
    "names-of-users": 'test "$(id -un)" = agent && getent hosts localhost >/dev/null && test "$(hostname)" = dispatch',
}

PYTHON = {
    "processes-and-threads": """
import multiprocessing, subprocess, threading
t = threading.Thread(target=lambda: 0); t.start(); t.join()
assert subprocess.run(["echo", "x"], capture_output=True).stdout == b"x\\n"
with multiprocessing.get_context("fork").Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]
""",
    "a-server-on-localhost": """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
server.accept()[0].sendall(b"x"); assert client.recv(1) == b"x"
""",
    "a-terminal": """
import os, pty
child, terminal = pty.fork()
if child == 0: os.write(1, b"hi"); os._exit(0)
assert b"hi" in os.read(terminal, 10)
""",
    "a-socket-pair": "import socket; a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'",
    "an-event-loop": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "room-on-disk": "import os; f = os.open('room', os.O_CREAT | os.O_RDWR); os.posix_fallocate(f, 0, 100_000)",
}


@pytest.mark.parametrize("act", sorted(SHELL))
def test_shell(ground: Ground, act: str) -> None:
    ground.bash(SHELL[act])


@pytest.mark.parametrize("act", sorted(PYTHON))
def test_python(ground: Ground, act: str) -> None:
    ground.bash(f"python3 -c {shlex.quote(PYTHON[act])}")


def test_writes_stay_in_the_copy_and_the_owners_tree_is_untouched(ground: Ground) -> None:
    told = ground.drive(
        ("Bash", {"command": "echo more >> src.txt && rm -r .git && mkdir made && ln -s src.txt link"}),
        ("Read", {"file_path": "src.txt"}),
    )
    assert told["results"][1][1] == "     1\thello\n     2\tmore"
    assert (ground.work / "src.txt").read_text() == "hello\n"
    assert (ground.work / ".git").is_dir()
    assert told["upper"] == [".git", "link", "made", "src.txt"]


def test_the_six_tools_work_on_the_same_tree(ground: Ground) -> None:
    told = ground.drive(
        ("Write", {"file_path": "a.py", "content": "x = 1\n"}),
        ("Edit", {"file_path": "a.py", "old_string": "1", "new_string": "2"}),
        ("Grep", {"pattern": "x = 2"}),
        ("Glob", {"pattern": "*.py"}),
        ("Read", {"file_path": str(ground.work / "a.py")}),
        ("Bash", {"command": "python3 a.py && cat a.py"}),
    )
    assert [result[0] for result in told["results"]] == [True] * 6
    assert told["results"][2][1] == told["results"][3][1] == str(ground.work / "a.py")
    assert told["results"][5][1] == "x = 2\n"
