"""The ledger and admission, without a clock."""

import random

import pytest

from daxa.exceptions import InvalidParameterError
from daxa.schedule.resources import Admission, Ledger


def test_a_ledger_knows_what_is_held():
    ledger = Ledger({"cpu": 4, "memory": 8.0})
    ledger.take("a", ledger.demand({"cpu": 3, "memory": 2}))
    assert ledger.used == {"cpu": 3, "memory": 2}
    assert "a" in ledger
    assert not ledger.fits(ledger.demand({"cpu": 2}))
    assert ledger.fits(ledger.demand({"cpu": 1, "disc": 1e12}))
    with pytest.raises(ValueError, match="cannot be granted"):
        ledger.take("b", ledger.demand({"cpu": 2}))
    ledger.give_back("a")
    assert ledger.used == {"cpu": 0, "memory": 0}


def test_fractions_do_not_drift():
    ledger = Ledger({"cpu": 1})
    tenth = ledger.demand({"cpu": 0.1})
    for _ in range(1000):
        for number in range(10):
            assert ledger.fits(tenth)
            ledger.take(number, tenth)
        assert not ledger.fits(tenth)
        for number in range(10):
            ledger.give_back(number)
    assert ledger.used == {"cpu": 0}


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "1", None, True])
def test_amounts_must_be_numbers(amount):
    with pytest.raises(InvalidParameterError):
        Ledger({"cpu": 1}).demand({"cpu": amount})
    with pytest.raises(InvalidParameterError):
        Ledger({"cpu": amount})


def test_in_order_of_priority_and_past_what_does_not_fit():
    admission = Admission({"cpu": 4})
    for number, cpu in enumerate((2, 4, 1, 1, 1)):
        admission.enter(number, {"cpu": cpu}, number)
    assert admission.first == 0
    assert admission.admit() == [0, 2, 3]
    admission.leave(2)
    assert admission.admit() == [4]
    for number in (0, 3, 4):
        admission.leave(number)
    assert admission.admit() == [1]


def test_a_big_request_waits_only_for_so_many():
    for patience in (0, 1, 5):
        admission = Admission({"cpu": 3}, patience=patience)
        admission.enter("running", {"cpu": 1}, 0)
        assert admission.admit() == ["running"]
        admission.enter("big", {"cpu": 3}, 1)
        for number in range(2, 200):
            admission.enter(number, {"cpu": 1}, number)
        passed, held = [], ["running"]
        while "big" not in held:
            admitted = admission.admit()
            held += admitted
            passed += [one for one in admitted if one != "big"]
            if "big" not in held:
                admission.leave(held.pop(0))
        assert len(passed) <= max(patience, 2)


def test_a_starving_request_does_not_hold_up_other_quantities():
    admission = Admission({"cpu": 2, "net": 1}, patience=0)
    admission.enter("running", {"cpu": 1}, 0)
    admission.admit()
    admission.enter("big", {"cpu": 2}, 1)
    admission.enter("small", {"cpu": 1}, 2)
    admission.enter("download", {"net": 1}, 3)
    admission.enter("nothing", {}, 4)
    assert "download" in (admitted := admission.admit())
    assert "nothing" in admitted
    assert "big" not in admitted


def test_who_withdraws_is_not_admitted_and_may_come_again():
    admission = Admission({"cpu": 1})
    admission.enter("a", {"cpu": 1}, 0)
    admission.enter("b", {"cpu": 1}, 1)
    admission.withdraw("a")
    admission.withdraw("never seen")
    assert len(admission) == 1
    assert admission.admit() == ["b"]
    admission.enter("a", {"cpu": 1}, 0)
    admission.leave("b")
    assert admission.admit() == ["a"]
    assert admission.admit() == []


def test_idle_is_what_nobody_waits_for():
    admission = Admission({"cpu": 1, "net": 1})
    assert admission.idle
    admission.enter("a", {"cpu": 1}, 0)
    admission.enter("b", {"cpu": 1}, 1)
    admission.admit()
    assert admission.idle
    admission.enter("c", {"net": 1}, 2)
    assert not admission.idle
    admission.admit()
    assert not admission.idle


@pytest.mark.parametrize("seed", range(30))
def test_random_requests_are_all_served_in_bounded_time_and_never_too_many(seed):
    rng = random.Random(seed)
    capacity = {"cpu": rng.randint(1, 8), "memory": rng.randint(1, 20), "net": rng.randint(1, 3)}
    admission = Admission(capacity, patience=rng.randint(0, 8))
    waiting, held, number = {}, {}, 0
    for step in range(3000):
        while number < 400 and len(waiting) < 40:
            request = {name: rng.randint(0, top + 2) for name, top in capacity.items() if rng.random() < 0.6}
            admission.enter(number, request, (rng.randint(0, 1), number))
            waiting[number] = (request, step)
            number += 1
        for one in admission.admit():
            request, _ = waiting.pop(one)
            held[one] = {name: min(amount, capacity[name]) for name, amount in request.items()}
        for name, top in capacity.items():
            assert sum(one.get(name, 0) for one in held.values()) <= top
        if not held:
            assert not waiting
            break
        one = rng.choice(list(held))
        del held[one]
        admission.leave(one)
    assert number == 400
    assert not waiting
    assert admission.ledger.used == dict.fromkeys(capacity, 0)
