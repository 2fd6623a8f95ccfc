"""Names that are never applied, names that stay behind, names that are pointed out to the human.

A program that reads `.envrc` does not ask who wrote it, so a run may not leave one. Names compare in the form
`fold` gives them, because a file system that ignores case, a normalising one (macOS), one that drops trailing
dots (Windows shares) or one that ignores invisible characters (HFS+) opens the same file under other names.
Deny lists lose inside a repository, where almost every name can be made to run something; therefore `.git`,
and every directory that Git would take for a repository, is out as a whole.
"""

import re
import unicodedata
from collections.abc import Set as AbstractSet

from sandbox.changes.change import Reason

STAGE_PREFIX = ".dispatch-apply-"

# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties: the standard library knows only the
# categories Cf and Cc, which cover most but not the fillers, selectors and reserved ranges.
_IGNORABLE = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2065, 0x2065),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)

_REPOSITORY_NAMES = frozenset({".git", "git~1"})  # the second is its short name on Windows shares

# Each of these starts a program, names one to start, holds a credential, or instructs an agent that acts with
# the owner's rights, all without the owner opening it.
_PROTECTED = frozenset(
    {
        *(".gitmodules", ".gitconfig", ".hg", ".svn", ".jj"),
        *(".mcp.json", ".claude", ".claude.json", ".codex", ".cursor", ".gemini", ".agents", ".continue"),
        *(".windsurf", ".aider.conf.yml", ".vscode", ".idea", ".zed"),
        *(".envrc", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile"),
        *(".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".inputrc", ".xprofile"),
        *(".ssh", ".gnupg", ".aws", ".kube", ".docker", ".dispatch", ".netrc", ".npmrc", ".yarnrc"),
        *(".yarnrc.yml", ".pypirc", ".git-credentials", ".gdbinit", ".vimrc", ".exrc", ".nvimrc"),
    }
)

_BYTECODE = re.compile(r".*\.py[co]", re.DOTALL)
_PATH_FILE = re.compile(r".*(\.pth|\._pth|\.egg-link)", re.DOTALL)
_NATIVE = re.compile(r".*\.(so|dylib|dll|pyd|node|jnilib)(\.[0-9.]+)?", re.DOTALL)

# The triad by which Git knows a bare repository, and the pair by which it knows a linked worktree.
_BARE = frozenset({"head", "objects", "refs"})
_LINKED = frozenset({"head", "commondir"})

_FLAGS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "build",
        re.compile(
            r"(gnu)?makefile|.*\.mk|justfile|rakefile|gemfile|package\.json|.*\.gyp|setup\.(py|cfg)|pyproject\.toml"
            r"|build\.rs|cargo\.toml|cmakelists\.txt|.*\.cmake|(build|settings)\.gradle(\.kts)?|pom\.xml"
            r"|build\.xml|configure(\.ac)?|tox\.ini|noxfile\.py|go\.work|.*\.(config|conf)\.[cm]?[jt]s",
            re.DOTALL,
        ),
    ),
    ("test_setup", re.compile(r"conftest\.py|pytest\.ini")),
    ("python_startup", re.compile(r"(site|user)customize\.py")),
    ("script", re.compile(r".*\.(sh|bash|zsh|fish|ps1|psm1|bat|cmd)", re.DOTALL)),
    ("ci", re.compile(r"\.gitlab-ci\.yml|\.travis\.yml|jenkinsfile|azure-pipelines\.yml|appveyor\.yml")),
    (
        "container",
        re.compile(r"(.*\.)?(dockerfile|containerfile)(\..*)?|(docker-)?compose.*\.ya?ml", re.DOTALL),
    ),
    (
        "git_hook",
        re.compile(r"\.pre-commit-(config|hooks)\.yaml|lefthook\.ya?ml|\.lintstagedrc.*", re.DOTALL),
    ),
    ("git_attributes", re.compile(r"\.gitattributes|\.gitignore")),
    ("agent_instructions", re.compile(r"(claude|agents|gemini)(\.local)?\.md|\.cursorrules|\.windsurfrules")),
    ("secrets", re.compile(r"\.env(\..*)?", re.DOTALL)),
)
_FLAGGED_DIRECTORIES = {
    ".github": "ci",
    ".circleci": "ci",
    ".devcontainer": "container",
    ".buildkite": "ci",
    ".husky": "git_hook",
    ".githooks": "git_hook",
}


def fold(name: str) -> str:
    """Return the form in which two names that some file system takes for one are equal.

    NFKC, removal of ignorable code points and case folding, repeated until nothing changes any more (each
    can make room for the others), then trailing dots and spaces off.
    """
    if name.isascii() and name.isprintable():
        return name.lower().rstrip(". ") or name.lower()
    while True:
        text = unicodedata.normalize("NFKC", name)
        text = "".join(char for char in text if not ignorable(char)).casefold()
        if text == name:
            return text.rstrip(". ") or text
        name = text


def ignorable(char: str) -> bool:
    """Say whether a character shows nothing of its own: controls, formats, fillers, variation selectors."""
    if char < "\x7f":
        return char < " "
    code = ord(char)
    if unicodedata.category(char) in {"Cf", "Cc"}:
        return True
    return any(first <= code <= last for first, last in _IGNORABLE)


def refusal(name: str) -> Reason | None:
    """Say why nothing at or below a path component of this name is ever applied, or None."""
    folded = fold(name)
    # An alternate data stream (`.git::$INDEX_ALLOCATION`) is the directory itself on Windows shares.
    stem = folded.split(":", 1)[0].rstrip(". ")
    if stem in _REPOSITORY_NAMES:
        return Reason.GIT
    if stem in _PROTECTED or stem.startswith(STAGE_PREFIX):
        return Reason.PROTECTED
    return None


def staying(name: str) -> Reason | None:
    """Say why a path of this name stays behind unless the human includes it, or None."""
    folded = fold(name)
    if _BYTECODE.fullmatch(folded) or folded == "__pycache__":
        return Reason.BYTECODE
    if _PATH_FILE.fullmatch(folded):
        return Reason.PATH_FILE
    if _NATIVE.fullmatch(folded):
        return Reason.NATIVE_LIBRARY
    return None


def is_repository(names: AbstractSet[str]) -> bool:
    """Say whether Git would take a directory holding these names for a repository of its own."""
    folded = {fold(name) for name in names}
    return folded >= _BARE or folded >= _LINKED


def names_filter(attributes: bytes) -> bool:
    """Say whether the text of a .gitattributes file assigns a filter driver."""
    return b"filter" in attributes.lower()


def name_flags(path: str) -> tuple[str, ...]:
    """Return the flags that a relative path's names earn: programs that others start, and their settings."""
    parts = [fold(part) for part in path.split("/")]
    found = {flag for flag, pattern in _FLAGS if pattern.fullmatch(parts[-1])}
    found.update(_FLAGGED_DIRECTORIES[part] for part in parts[:-1] if part in _FLAGGED_DIRECTORIES)
    return tuple(sorted(found))
