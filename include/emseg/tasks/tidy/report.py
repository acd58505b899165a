"""What housekeeping did, or in a dry run would do, as tables for a person."""

from __future__ import annotations

from dataclasses import dataclass, field

from emseg.errors import PermanentError
from emseg.tasks.tidy.broom import Broom


@dataclass
class TidyReport:
    """`kept`: for each dataset its runs and why. `left_alone`: what could not be judged. `listed`: what people remove.

    `unfinished` writes of killed processes are no objects; they are counted beside `broom`.
    """

    broom: Broom
    kept: dict[str, dict[str, str]] = field(default_factory=dict)
    left_alone: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    unfinished: int = 0

    def require_complete(self) -> None:
        """PermanentError where something was left alone: a person has to look at it."""
        if self.left_alone:
            raise PermanentError(
                "tidying",
                f"{len(self.left_alone)} folders",
                f"they could not be judged, so nothing of them was removed: {' | '.join(self.left_alone)}",
                "Mend what each of these errors names, then tidy again; all else was tidied",
            )

    def totals(self) -> dict[str, int]:
        """Objects and bytes that went, or would go."""
        lines = [line for *_, line in self.broom.lines()]
        return {"objects": sum(line.objects for line in lines), "bytes": sum(line.size for line in lines)}

    def markdown(self) -> str:
        """All of it, for a log and for a terminal."""
        verb = "would go" if self.broom.dry_run else "went"
        lines = [f"**{'Dry run: nothing was removed' if self.broom.dry_run else 'Tidied'}**", ""]
        lines += [f"| dataset | what {verb} | folders | objects | MB | why |", "|---|---|---:|---:|---:|---|"]
        for dataset, what, why, line in self.broom.lines():
            row = (dataset, what, str(len(line.folders)), str(line.objects), f"{line.size / 1e6:.3f}", why)
            lines.append(f"| {' | '.join(row)} |")
        totals = self.totals()
        lines += ["", f"{totals['objects']} objects, {totals['bytes'] / 1e6:.3f} MB {verb}."]
        lines.append(f"Unfinished uploads of killed processes: {self.unfinished}.")
        lines += ["", "| dataset | run that is kept | because |", "|---|---|---|"]
        lines += [f"| {dataset} | {run} | {why} |" for dataset, runs in self.kept.items() for run, why in runs.items()]
        lines += _list("Not removed, for you to look at", self.listed)
        lines += _list("LEFT ALONE, because it could not be judged", self.left_alone)
        return "\n".join(lines)


def _list(title: str, items: list[str]) -> list[str]:
    return ["", f"{title}:", "", *(f"- {item}" for item in items)] if items else []
