"""What this domain refuses.

Unavailable    NoRepository     no signed repository yet
RuleViolated   NotForward       a version that is not newer (D2)
               NotSigned        signatures missing, of other keys, or of another vault (D2)
"""

from onecard.kernel.errors import RuleViolated, Unavailable


class NoRepository(Unavailable):
    """Nothing can be published before the repository has its keys."""

    def __init__(self) -> None:
        super().__init__(
            "尚无签名的升级库：请运行 onecard rollout keys init",
            "there is no signed repository yet: run onecard rollout keys init",
        )


class NotForward(RuleViolated):
    """Versions only grow."""

    def __init__(self, name: str, version: int, last: int) -> None:
        super().__init__(
            f"D2：{name} 的版本 {version} 不高于现用版本 {last}",
            f"D2: version {version} of {name} is not above {last}, which is in force",
            rule="D2",
        )


class NotSigned(RuleViolated):
    """Not what the holders of the keys have signed."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"D2：{zh}", f"D2: {en}", rule="D2")
