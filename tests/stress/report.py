"""What a stress run found, as rows of one table."""

from dataclasses import asdict, dataclass, field


@dataclass
class Finding:
    """One kind of trouble, with exact counts.

    ``counts`` may be anything; ``faults`` are sentences about what should have held and did not.
    """

    id: str
    work: str
    seed: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.faults

    def fault(self, text: str) -> None:
        self.faults.append(text)

    def add(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def most(self, name: str, number: int) -> None:
        self.counts[name] = max(self.counts.get(name, 0), number)

    def plain(self) -> dict:
        return {**asdict(self), "good": self.good}

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        return f"{self.id} {self.work}: {counts}" + "".join(f"\n   ! {one}" for one in self.faults)


def show(findings: list[Finding]) -> str:
    """The summary table."""
    lines = [f"{'id':<4} {'what was done':<46} {'ok':<4} counts"]
    for one in findings:
        counts = [f"{name} {number}" for name, number in one.counts.items()]
        lines.append(f"{one.id:<4} {one.work:<46} {'yes' if one.good else 'NO':<4} {counts[0] if counts else ''}")
        lines += [f"{'':<56} {text}" for text in counts[1:]]
        if one.seed is not None:
            lines.append(f"{'':<56} seed {one.seed}")
        lines += [f"     ! {fault}" for fault in one.faults]
        lines += ["", *one.notes, ""] if one.notes else []
    return "\n".join(lines)
