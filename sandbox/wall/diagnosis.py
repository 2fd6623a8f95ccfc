"""Say why a wall cannot be built and what to type about it.

A pure function of what was found: the words of the program that failed, and the kernel's switches. The answer
names one command a person can run, because "not supported" helps nobody; and nothing here ever proposes to
run without the wall.
"""

from collections.abc import Mapping
from dataclasses import dataclass

BUBBLEWRAP = "/usr/bin/bwrap"
SWITCHES = {
    "unprivileged_userns_clone": "/proc/sys/kernel/unprivileged_userns_clone",
    "max_user_namespaces": "/proc/sys/user/max_user_namespaces",
    "apparmor_restrict_unprivileged_userns": "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
}
_INSTALL = {
    "debian": "sudo apt install bubblewrap",
    "ubuntu": "sudo apt install bubblewrap",
    "fedora": "sudo dnf install bubblewrap",
    "rhel": "sudo dnf install bubblewrap",
    "centos": "sudo dnf install bubblewrap",
    "arch": "sudo pacman -S bubblewrap",
    "opensuse": "sudo zypper install bubblewrap",
    "suse": "sudo zypper install bubblewrap",
    "alpine": "sudo apk add bubblewrap",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Why not, in one sentence, and the command or act that helps."""

    reason: str
    remedy: str


def install_command(os_release: str) -> str:
    """Name the command that installs bubblewrap on the distribution an os-release(5) text describes."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    names = [fields.get("ID", ""), *fields.get("ID_LIKE", "").strip('"').split()]
    for name in names:
        if command := _INSTALL.get(name.strip('"')):
            return f"Run: {command}"
    return "Install bubblewrap 0.8 or later with your system's package manager."


def explain(words: str, switches: Mapping[str, str], os_release: str) -> Finding:
    """Explain a failure.

    Args:
        words: What the stage or bubblewrap wrote to standard error.
        switches: The kernel's settings by the names of `SWITCHES`; absent ones are left out.
        os_release: The text of /etc/os-release.
    """
    said = " ".join(words.split())[:300] or "it said nothing"
    if "nknown option" in words:
        return Finding(f"This bubblewrap is too old ({said}).", f"Upgrade it. {install_command(os_release)}")
    if switches.get("max_user_namespaces") == "0":
        return Finding(
            "User namespaces are switched off (user.max_user_namespaces is 0).",
            "Run: sudo sysctl -w user.max_user_namespaces=15000",
        )
    if switches.get("unprivileged_userns_clone") == "0":
        return Finding(
            "Ordinary users may not create user namespaces (kernel.unprivileged_userns_clone is 0).",
            "Run: sudo sysctl -w kernel.unprivileged_userns_clone=1",
        )
    if switches.get("apparmor_restrict_unprivileged_userns") == "1":
        return Finding(
            f"AppArmor keeps programs without a profile from using user namespaces ({said}).",
            "Run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    if "copy-on-write" in words:
        return Finding(
            f"The kernel cannot mount a copy-on-write layer there ({said}).",
            "Put the home of this program on an ordinary disk file system (ext4, XFS, btrfs): set DISPATCH_HOME.",
        )
    if "unshare" in words or "namespace" in words:
        return Finding(
            f"The kernel refused a new namespace ({said}).",
            "If this is a container, start it with user namespaces allowed (for Docker: "
            "--security-opt seccomp=unconfined --security-opt apparmor=unconfined).",
        )
    return Finding(f"The wall could not be built ({said}).", "Run `dispatch doctor` and report what it says.")
