import pytest

from sandbox.wall.diagnosis import explain, install_command

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n'


@pytest.mark.parametrize(
    ("release", "command"),
    [
        (DEBIAN, "sudo apt install bubblewrap"),
        ("ID=linuxmint\nID_LIKE=ubuntu\n", "sudo apt install bubblewrap"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "sudo dnf install bubblewrap"),
        ("ID=arch\n", "sudo pacman -S bubblewrap"),
        ("ID=alpine\n", "sudo apk add bubblewrap"),
    ],
)
def test_the_command_that_installs_bubblewrap(release: str, command: str) -> None:
    assert install_command(release) == f"Run: {command}"


def test_an_unknown_distribution_gets_words() -> None:
    assert "package manager" in install_command("")


@pytest.mark.parametrize(
    ("words", "switches", "reason", "remedy"),
    [
        ("bwrap: Unknown option --bind-fd", {}, "too old", "sudo apt install bubblewrap"),
        (
            "namespaces: unshare",
            {"max_user_namespaces": "0"},
            "switched off",
            "sysctl -w user.max_user_namespaces",
        ),
        (
            "x",
            {"unprivileged_userns_clone": "0"},
            "Ordinary users",
            "sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            "x",
            {"apparmor_restrict_unprivileged_userns": "1"},
            "AppArmor",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("mounts: mount the copy-on-write layer of /a: EINVAL", {}, "copy-on-write", "DISPATCH_HOME"),
        ("namespaces: unshare: not permitted", {}, "refused a new namespace", "--security-opt"),
        ("", {}, "it said nothing", "dispatch doctor"),
    ],
)
def test_each_failure_has_its_reason_and_its_act(
    words: str, switches: dict[str, str], reason: str, remedy: str
) -> None:
    finding = explain(words, switches, DEBIAN)
    assert reason in finding.reason
    assert remedy in finding.remedy


def test_what_was_said_is_kept_short_and_on_one_line() -> None:
    finding = explain("x\n" * 5000, {"max_user_namespaces": "28000"}, DEBIAN)
    assert len(finding.reason) < 400
    assert "\n" not in finding.reason
