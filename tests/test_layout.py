"""The layered layout by itself: boxes apart, lines around them, groups in frames of their own."""

from __future__ import annotations

from itertools import combinations, pairwise

from drawn import Rectangle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstmgraph.explain.drawing.layout import Frame, Item, Link, Plan, lay_out

SETTINGS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)


def rectangle(frame: Frame) -> Rectangle:
    return Rectangle(frame.left, frame.top, frame.right, frame.bottom)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Item], list[Link]]:
    """Items in the order of their calls; what belongs together is called one after the other."""
    count = draw(st.integers(1, 24))
    groups: list[str | None] = []
    while len(groups) < count:
        size = draw(st.integers(1, 5))
        groups += [f"g{len(groups)}" if size > 1 else None] * size
    sizes = st.tuples(st.integers(40, 300), st.integers(20, 120))
    items = [Item(*draw(sizes), groups[index]) for index in range(count)]
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.sampled_from("ab"))
    drawn = draw(st.lists(ends, max_size=2 * count))
    ordered = {(min(pair), max(pair), kind) for *pair, kind in drawn if pair[0] != pair[1]}
    labels = st.sampled_from([0.0, 20.0])
    links = [Link(*each, draw(labels)) for each in sorted(ordered)]
    return items, sorted(links, key=lambda link: (link.target, link.source, link.kind))


def between(first: tuple[float, float], last: tuple[float, float]) -> list[tuple[float, float]]:
    """Points of a stretch: upright, or a curve that begins and ends upright."""
    (x, y), (to_x, to_y) = first, last
    parts = [step / 16 for step in range(17)]
    return [(x + (to_x - x) * t * t * (3 - 2 * t), _height(y, to_y, t)) for t in parts]


def _height(y: float, to_y: float, t: float) -> float:
    middle = (y + to_y) / 2
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2 + 3 * t * t * (1 - t), t**3)
    return weights[0] * y + weights[1] * middle + weights[2] * to_y


def assert_is_drawn_well(items: list[Item], links: list[Link], plan: Plan) -> None:
    frames = [rectangle(frame) for frame in plan.items]
    for item, frame in zip(items, plan.items, strict=True):
        assert (frame.width, frame.height) == (item.width, item.height)
        assert min(frame.left, frame.top) >= 0
        assert frame.right <= plan.width + 1e-6
        assert frame.bottom <= plan.height + 1e-6
    for first, second in combinations(frames, 2):
        assert not first.overlaps(second)
    for group, frame in plan.groups.items():
        for item, other in zip(items, frames, strict=True):
            assert rectangle(frame).holds(other) or item.group != group
            assert not rectangle(frame).overlaps(other) or item.group == group
    for first, second in combinations(plan.groups.values(), 2):
        assert not rectangle(first).overlaps(rectangle(second))
    assert [route.link for route in plan.routes] == links
    for route in plan.routes:
        assert_runs_free(route.points, plan.items[route.link.target], frames)


def assert_runs_free(
    points: tuple[tuple[float, float], ...], target: Frame, frames: list[Rectangle]
) -> None:
    x, y = points[-1]
    assert target.left < x < target.right
    assert y == target.top
    for first, last in pairwise(points):
        assert first[1] < last[1], "lines lead downwards"
        for point in between(first, last):
            assert not any(frame.has_inside(point) for frame in frames)


@given(graphs())
@SETTINGS
def test_no_overlap_and_no_line_through_a_box(graph: tuple[list[Item], list[Link]]) -> None:
    items, links = graph
    plan = lay_out(items, links)
    assert_is_drawn_well(items, links, plan)
    assert plan == lay_out(items, links), "the same call gives the same plan"


def test_every_link_begins_at_its_source_or_at_a_link_from_there() -> None:
    items = [Item(100, 40) for _ in range(6)]
    links = [Link(0, 1, "a"), Link(0, 3, "a"), Link(0, 5, "a"), Link(1, 2, "a"), Link(2, 3, "a")]
    links += [Link(3, 4, "a"), Link(4, 5, "a")]
    plan = lay_out(items, links)
    source = plan.items[0]
    on_the_way = [
        point for route in plan.routes if route.link.source == 0 for point in route.points[1:]
    ]
    for route in plan.routes[:3]:
        x, y = route.points[0]
        begins = source.left < x < source.right and y == source.bottom
        assert begins or any(abs(x - other) < 1e-6 for other, _ in on_the_way)


def test_a_chain_is_one_straight_line() -> None:
    items = [Item(100 + 10 * i, 40) for i in range(40)]
    links = [Link(i, i + 1, "a") for i in range(39)]
    links += [Link(i, i + 3, "a") for i in range(0, 36, 4)]  # sums around layers
    plan = lay_out(items, links)
    centres = {round(frame.centre, 6) for frame in plan.items}
    assert len(centres) == 1


def test_nothing_to_draw() -> None:
    plan = lay_out([], [])
    assert (plan.width, plan.height, plan.items, plan.routes) == (0.0, 0.0, (), ())
