"""Data order and packing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.training.schedule import Schedule, balance, pack, share

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=24)


def test_s1_has_315_steps() -> None:
    schedule = Schedule(1000, 16, 5, 42)
    assert (schedule.steps_per_epoch, schedule.total) == (63, 315)
    assert len(schedule.step(62)) == 8


def test_every_epoch_sees_every_sample_once_in_another_order() -> None:
    schedule = Schedule(50, 16, 3, 42)
    epochs = [
        [sample for step in range(4 * e, 4 * e + 4) for sample in schedule.step(step)]
        for e in range(3)
    ]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert Schedule(50, 16, 3, 43).step(0) != schedule.step(0)
    assert Schedule(50, 16, 3, 42).step(7) == schedule.step(7)


@given(LENGTHS, st.integers(1, 900))
def test_pack_keeps_every_sample_whole_and_within_capacity(lengths: list[int], room: int) -> None:
    sizes = np.array(lengths)
    batches = pack(list(range(len(lengths))), sizes, room)
    placed = [sample for batch in batches for sample in batch.samples]
    assert sorted(placed) == list(range(len(lengths)))
    for batch in batches:
        assert sizes[list(batch.samples)].sum() <= room or len(batch.samples) == 1


@given(LENGTHS, st.integers(1, 900), st.randoms())
def test_pack_does_not_depend_on_the_order_it_is_given(lengths, room, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(range(len(lengths)))
    random.shuffle(shuffled)
    sizes = np.array(lengths)
    assert pack(shuffled, sizes, room) == pack(sorted(shuffled), sizes, room)


def test_first_fit_decreasing() -> None:
    sizes = np.array([5, 9, 3, 4, 6])
    assert [batch.samples for batch in pack([0, 1, 2, 3, 4], sizes, 10)] == [(1,), (4, 3), (0, 2)]


@given(LENGTHS, st.integers(1, 900), st.integers(1, 8))
def test_ranks_run_equally_many_and_share_every_sample_once(
    lengths: list[int], room: int, ranks: int
) -> None:
    sizes = np.array(lengths)
    parts = share(list(range(len(lengths))), sizes, sizes.astype(float), room, ranks)
    assert len({len(batches) for batches in parts}) == 1 and len(parts) == ranks
    real = [s for part in parts for batch in part if not batch.filler for s in batch.samples]
    assert sorted(real) == list(range(len(lengths)))


def test_balance_evens_out_cost() -> None:
    costs = np.array([8.0, 7.0, 6.0, 5.0, 4.0, 2.0])
    loads = [sum(costs[part]) for part in balance(list(range(6)), costs, 2)]
    assert loads == [16.0, 16.0]  # the most expensive to the least loaded alone gives 17 and 15


@given(LENGTHS, st.integers(1, 5))
def test_no_single_exchange_improves_the_balance(lengths: list[int], ranks: int) -> None:
    costs = np.array(lengths, dtype=float)
    shares = balance(list(range(len(lengths))), costs, ranks)
    assert sorted(sample for part in shares for sample in part) == list(range(len(lengths)))
    loads = [sum(costs[part]) for part in shares]
    top = int(np.argmax(loads))
    for other in set(range(ranks)) - {top}:
        for given_away in shares[top]:
            for returned in [0.0, *costs[shares[other]]]:
                moved = costs[given_away] - returned
                assert max(loads[top] - moved, loads[other] + moved) >= loads[top] * (1 - 1e-6)


def test_a_filler_is_used_only_where_nothing_can_be_split() -> None:
    sizes = np.array([100, 10, 10, 10])
    parts = share([0, 1, 2, 3], sizes, sizes.astype(float), 30, 2)
    assert not any(batch.filler for part in parts for batch in part)
    alone = share([0], sizes, sizes.astype(float), 30, 2)
    assert [batch.filler for part in alone for batch in part] == [False, True]


def test_without_shuffling_every_epoch_has_the_order_of_the_set() -> None:
    schedule = Schedule(5, 2, 2, 42, shuffle=False)
    assert [schedule.step(i) for i in range(6)] == [[0, 1], [2, 3], [4]] * 2
