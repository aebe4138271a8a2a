"""The plot of a trajectory: identical for the same versions, whatever the user's matplotlib settings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import fmean

from avo.cli.options import printable
from avo.memory.trajectory import Trajectory
from avo.settings import environment_withheld

# Looking for fonts, it starts fc-list. The variables shown say where it keeps what it found, and where fonts are.
with environment_withheld("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "FONTCONFIG_FILE"):
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

BEST, BASELINE, FAINT = "#0f6b4f", "#4d4d4d", "#666666"
CASES = ("#0072b2", "#d55e00", "#b0508a", "#8c6d00", "#2f8fc7", "#5f4690")
"""Colours of the cases, distinguishable also with colour blindness; the dashes differ too."""
DASHES = ((5, 2), (1.5, 1.5), (7, 2, 1.5, 2), (3, 1), (9, 3), (1, 3))
"""Dash patterns of the cases, in points."""
WIDTH, HEIGHT, DPI = 9.0, 5.0, 150
"""Size of the figure in inches, and its resolution in dots per inch."""
PLACE = (0.085, 0.11, 0.71, 0.735)
"""Position of the axes in the figure (left, bottom, width, height); the labels are to the right."""
SMALL, LINE, NAME_WIDTH = 8.5, 1.4, 26
"""Font size of labels in points, their line spacing as a factor, and the width of a version's name in points."""
AXES = {"versions": "version", "attempts": "evaluated attempts", "hours": "hours since the seed"}


def draw(found: Trajectory, file: Path) -> None:
    """Write the plot as .png or .svg."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": "avo", "text.parse_math": False, "font.size": 10})
        figure = Figure((WIDTH, HEIGHT), dpi=DPI)
        axes = figure.add_axes(PLACE)
        _frame(axes, found)
        _lines(axes, found)
        _names(axes, found)
        _labels(axes, found)
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def _frame(axes: Axes, found: Trajectory) -> None:
    values = [value for case in found.cases.values() for value in case if value is not None]
    axes.set_ylim(0, max([*found.scores, *found.baselines.values(), *values]) * 1.08)
    span = found.x[-1] - found.x[0] or 1.0
    axes.set_xlim(found.x[0] - 0.04 * span, found.x[0] + 1.02 * span)
    if found.by != "hours":
        axes.locator_params(axis="x", integer=True)
    axes.set_xlabel(AXES[found.by])
    axes.set_ylabel(found.unit)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    matched = "" if all(found.improved) else ", hollow where it only matched the best"
    cases = ", dashed: each case" if len(found.cases) > 1 else ""
    told = f"line: best geometric mean so far{cases}; a dot: a version{matched}"
    axes.set_title(printable(f"{found.title}, {found.unit}"), loc="left", fontsize=12, pad=38)
    axes.text(
        0, 1.03, printable("; ".join(device for device in found.devices if device))[:120] + "\n" + told,
        transform=axes.transAxes, fontsize=SMALL, color=FAINT, va="bottom", linespacing=1.35,
    )  # fmt: skip


def _lines(axes: Axes, found: Trajectory) -> None:
    for value in found.baselines.values():
        axes.axhline(value, color=BASELINE, linewidth=1.0, dashes=(6, 3), zorder=1)
    if len(found.cases) > 1:
        for values, color, dashes in zip(found.cases.values(), cycle(CASES), cycle(DASHES), strict=False):
            known = [float("nan") if value is None else value for value in values]
            axes.step(found.x, known, where="post", color=color, dashes=dashes, linewidth=1.2, zorder=2)
    axes.step(found.x, found.best, where="post", color=BEST, linewidth=2.2, zorder=3)
    fills = [BEST if improved else "white" for improved in found.improved]
    axes.scatter(found.x, found.scores, s=38, color=fills, edgecolor=BEST, linewidth=1.4, zorder=4)


def _names(axes: Axes, found: Trajectory) -> None:
    """Write names above the last dot, the first, and those in between that do not overlap."""
    low, high = axes.get_xlim()
    room, last = NAME_WIDTH / 72 / (WIDTH * PLACE[2]) * (high - low), len(found.x) - 1
    named: list[int] = []
    for number in range(last):
        after = not named or found.x[number] - found.x[named[-1]] >= room
        if found.improved[number] and after and found.x[last] - found.x[number] >= room:
            named.append(number)
    for number in [*named, last]:
        axes.annotate(
            printable(found.versions[number]), (found.x[number], found.scores[number]), (2, 6),
            textcoords="offset points", ha="right", fontsize=SMALL, color=BEST, zorder=5,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip


def _labels(axes: Axes, found: Trajectory) -> None:
    """Write each line's name and last value to its right, far enough apart to be read."""
    entries = [(found.best[-1], f"best  {found.best[-1]:.4g}", BEST, "bold")]
    if len(found.cases) > 1:
        lasts = [(case, values[-1], color) for (case, values), color in zip(found.cases.items(), cycle(CASES))]
        entries += [(last, f"{case}  {last:.4g}", color, "normal") for case, last, color in lasts if last is not None]
    entries += [(value, f"{name}  {value:.4g}", BASELINE, "normal") for name, value in found.baselines.items()]
    entries.sort(key=lambda entry: entry[0])
    (low, high), height = axes.get_xlim(), axes.get_ylim()[1]
    end = (found.x[-1] - low) / (high - low)
    places = spread([value / height for value, *_ in entries], SMALL * LINE / 72 / (HEIGHT * PLACE[3]))
    for (value, name, color, weight), place in zip(entries, places, strict=True):
        axes.plot(
            [1.0 if color == BASELINE else end, 1.0, 1.03], [value / height, value / height, place],
            color=color, linewidth=0.8, clip_on=False, transform=axes.transAxes,
        )  # fmt: skip
        axes.text(
            1.036, place, printable(name)[:28], transform=axes.transAxes, color=color, fontsize=SMALL, va="center",
            fontweight=weight,
        )  # fmt: skip


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Return ascending positions, moved as little as possible so that they are `gap` apart."""
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _starts(groups[-1], gap) < _starts(groups[-2], gap) + gap * len(groups[-2]):
            last = groups.pop()
            groups[-1] += last
    return [_starts(group, gap) + gap * number for group in groups for number in range(len(group))]


def _starts(group: Sequence[float], gap: float) -> float:
    """Return the first position of a group of adjacent ones; never below the axis."""
    return max(fmean(group) - gap * (len(group) - 1) / 2, 0.0)
