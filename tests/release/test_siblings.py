"""Bugs beside the planted ones: an audit that knows thirteen by heart would miss them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from unsilent.audit import client_audit, noise_audit
from unsilent.audit.audit import Mechanism, audit
from unsilent.audit.planted import exchanged, times, with_noise
from unsilent.audit.worlds import Worlds
from unsilent.client.budget import BudgetFile
from unsilent.client.limit import Limit, LimitFile
from unsilent.client.model_check import NOT_SHOWN
from unsilent.client.observer import Observer
from unsilent.plan import parse_plan
from unsilent.release import accountant, calibration, noise, record_unit
from unsilent.release.coordinate import DIFFERING, UNSHOWN, is_variance, source
from unsilent.release.layout import Layout

PLAN = parse_plan(
    {
        "federation": {"clients": 12, "rounds": 2},
        "modes": {
            "amplified_bias": {"tolerance": 0.1},
            "fairness_collapse": {"tolerance": 0.2, "clip": 1.0},
        },
        "privacy": {"epsilon": 4.0},
        "monitor": {"rounds": "every", "min_cohort": 5},
    }
)


def caught(mechanism=None):
    result = audit(PLAN, seed=3, repetitions=5000, exact=False, mechanism=mechanism)
    return failed(result.checks)


def failed(checks):
    return {check.by for check in checks if not check.passed}


# Most of what follows is one part of the audit's to see, which is then asked alone. That the audit
# asks each part, the planted bugs show.


def seen_in_noise(mechanism, by):
    """Whether the tests of seeded noise see a bug, in the order in which the audit makes them."""
    worlds = Worlds(PLAN, mechanism, 3, 5000)
    if by in failed(noise_audit.side_by_side(worlds)):
        return True
    return by in failed(noise_audit.one_at_a_time(worlds))


def failed_of_exact(mechanism):
    checks = noise_audit.exact(Worlds(PLAN, mechanism, 3, 400))
    return {check.name for check in checks if not check.passed}


def seen_of_client(kind=Observer):
    return failed(client_audit.client(PLAN, kind))


class Altered:
    """A source whose draws something is done to."""

    def __init__(self, source, change):
        self.source, self.change = source, change

    def sample(self, scale, size):
        return self.change(self.source.sample(scale, size), scale)


def by_stream(change):
    """A mechanism whose source depends on (seed, world, round, client) in another way."""
    whole = Mechanism.of(PLAN)
    return replace(whole, source=lambda stream: change(whole.source, tuple(stream)))


def minus(source, stream):
    return Altered(source(stream), lambda draws, scale: -draws)


def other_client(source, stream):
    """Clients 1 and 2 draw the same."""
    return source((*stream[:3], 1 if stream[3] == 2 else stream[3]))


def other_clients_opposite(source, stream):
    """Client 2 draws the opposite of client 1: their sum is bare."""
    return minus(source, (*stream[:3], 1)) if stream[3] == 2 else source(stream)


def opposite_in_the_next_round(source, stream):
    return minus(source, (*stream[:2], 1, stream[3])) if stream[2] == 2 else source(stream)


def moved_between_rounds(source, stream):
    """The second round's noise is the first one's, moved by one coordinate."""
    if stream[2] != 2:
        return source(stream)
    return Altered(source((*stream[:2], 1, stream[3])), lambda draws, scale: np.roll(draws, 1))


def one_seed_for_all(source, stream):
    return source((stream[0],))


def client_by_client_unequal(source, stream):
    """Right on average over clients; every second one has too little."""
    factor = math.sqrt(0.5 if stream[3] % 2 else 1.5)
    return Altered(source(stream), lambda d, scale: np.rint(d * factor).astype(np.int64))


def first_of_a_call_bare(source, stream):
    """Only whoever draws one vector at a time sees it."""

    def bare(draws, scale):
        draws = draws.copy()
        draws[0] = 0
        return draws

    return Altered(source(stream), bare)


STREAMS = [
    (other_client, "covariance"),
    (other_clients_opposite, "covariance"),
    (opposite_in_the_next_round, "covariance"),
    (moved_between_rounds, "covariance"),
    (one_seed_for_all, "covariance"),
    (client_by_client_unequal, "chi2"),
    (first_of_a_call_bare, "chi2"),
]


@pytest.mark.parametrize(("change", "by"), STREAMS, ids=lambda of: getattr(of, "__name__", of))
def test_streams_that_depend_on_each_other(change, by):
    assert seen_in_noise(by_stream(change), by)


def mirrored(draws):
    """The second half is the first one backwards, with the other sign."""
    half = draws.shape[-1] // 2
    draws[..., -half:] = -draws[..., :half][..., ::-1]
    return draws


def summed(draws):
    """The last coordinate is the sum of two others, of the right size."""
    draws[..., -1] = np.rint((draws[..., 0] + draws[..., 1]) / math.sqrt(2))
    return draws


def mixed(draws):
    """A tenth of the coordinates' noise is common to all."""
    common = draws[..., :1]
    return np.rint(math.sqrt(0.8) * draws + math.sqrt(0.2) * common).astype(np.int64)


def rounded(draws):
    return 8 * np.rint(draws / 8).astype(np.int64)


def low_and_high(draws):
    """The variance is right on average over the coordinates."""
    factors = np.ones(draws.shape[-1])
    factors[:2] = math.sqrt(0.6), math.sqrt(1.4)
    return np.rint(draws * factors).astype(np.int64)


def positive(draws):
    return np.abs(draws)


def cut(draws):
    """Outliers are cut off, as a careful programmer might."""
    end = 2 * np.std(draws)
    return np.clip(draws, -end, end).astype(np.int64)


VECTORS = [
    (mirrored, "covariance"),
    (summed, "covariance"),
    (mixed, "covariance"),
    (rounded, "lattice"),
    (low_and_high, "chi2"),
    (positive, "chi2"),
    (cut, "shape"),
]


@pytest.mark.parametrize(("broken", "by"), VECTORS, ids=lambda of: getattr(of, "__name__", of))
def test_vectors_whose_noise_is_not_independent_or_not_gaussian(broken, by):
    mechanism = with_noise(lambda draws: broken(draws.copy()))(PLAN, Mechanism.of(PLAN))
    assert seen_in_noise(mechanism, by)


def test_noise_that_follows_the_value():
    whole = Mechanism.of(PLAN)

    def privatize(layout, values, variance, source):
        clean = layout.encode(values)
        draws = whole.privatize(layout, values, variance, source) - clean
        return clean + np.rint(draws * np.where(np.abs(clean) > 50, 0.7, 1.0)).astype(np.int64)

    assert caught(replace(whole, privatize=privatize)) & {"values", "chi2", "covariance"}


def once(draws, scale):
    return np.full_like(draws, draws[0])


class Repeats:
    """Real clients' noise that is drawn once for all calls, or for all clients."""

    kept = None

    def __init__(self, source):
        self.source = source

    def sample(self, scale, size):
        if Repeats.kept is None:
            Repeats.kept = self.source.sample(scale, 10**4)
        return Repeats.kept[:size]


class EverySecond(Repeats):
    """Each second call gives the first one's draws again."""

    def __init__(self, source):
        super().__init__(source)
        self.last = None

    def sample(self, scale, size):
        self.last, drawn = (None, self.last) if self.last is not None else (None, None)
        if drawn is None:
            self.last = drawn = self.source.sample(scale, size)
        return drawn


@pytest.mark.parametrize(
    "broken",
    [
        Repeats,
        EverySecond,
        lambda source: Altered(source, once),
        lambda source: Altered(source, lambda draws, scale: np.repeat(draws[::2], 2)[: len(draws)]),
        lambda source: Altered(source, lambda draws, scale: 16 * (draws // 16)),
    ],
    ids=["one draw", "every second call", "one number", "pairs", "coarse"],
)
def test_real_clients_noise_that_repeats(broken):
    whole = Mechanism.of(PLAN)
    assert failed_of_exact(replace(whole, exact=lambda: broken(whole.exact())))


def overlooks(**changed):
    """For ``exchanged``: a function of a plan that sees other privacy terms."""

    def make(whole):
        def broken(plan):
            terms = plan.privacy.model_copy(update=changed)
            return whole(plan.model_copy(update={"privacy": terms}))

        return broken

    return make


def constant(value):
    return lambda whole: lambda *arguments, **named: value


def cheaper(whole):
    def broken(plan, number):
        event = whole(plan, number)
        return replace(event, sigma=event.sigma * 1.05)

    return broken


def one_round_only(whole):
    return lambda epsilon, delta, releases: whole(epsilon, delta, 1)


def newest_only(whole):
    return lambda events, most=None: whole(list(events)[-1:], most)


def forgets_others(whole):
    return lambda self: whole(self)[-1:]


def twice_the_delta(whole):
    return lambda self, events: whole(replace(self, delta=2 * self.delta), events)


FIGURES = [
    ("replaced as left out", noise, "sensitivity", overlooks(adjacency="zero-out")),
    ("a record's reach as the clip", noise, "record_sensitivity", times(0.9)),
    ("sigma 1% low", noise, "sum_sigma", times(0.99)),
    ("drop-outs overlooked", noise, "smallest_cohort", overlooks(dropout=0.0)),
    ("one client more", noise, "smallest_cohort", lambda f: lambda plan: f(plan) + 1),
    ("too few releases do", noise, "needed_releases", lambda f: lambda plan: f(plan) - 3),
    ("booked 5% cheap", noise, "planned_event", cheaper),
    ("noise for one round", calibration, "noise_multiplier", one_round_only),
    ("the newest event only", accountant, "total_mu", newest_only),
    ("delta halved", accountant, "gaussian_delta", times(0.5)),
    ("mu 1% high", accountant, "largest_mu", times(1.01)),
    ("a record's move halved", record_unit, "_moved", times(0.5)),
    ("twice the noise", noise, "sum_sigma", times(2.0)),
    ("clipped moves by nothing", record_unit, "_box_factor", constant(0.0)),
]


@pytest.mark.parametrize(
    ("module", "name", "broken"), [each[1:] for each in FIGURES], ids=[each[0] for each in FIGURES]
)
def test_figures_that_are_wrong_alike_everywhere(module, name, broken):
    with exchanged(module, name, broken):
        assert "claim" in failed(client_audit.figures(PLAN))


def test_a_layout_that_clips_to_more_than_it_counts():
    bound = Layout.bound
    Layout.bound = property(lambda self: 1.02 * bound.fget(self))
    try:
        found = caught()
    finally:
        Layout.bound = bound
    assert "norm" in found


class LooseSpreads(Layout):
    """A spread's square is not held within its own clip: one record moves it without bound."""

    def encode(self, values):
        body = super().encode(values).astype(np.float64)
        for position, coordinate in enumerate(self.coordinates):
            if is_variance(coordinate.name):
                value = values[source(coordinate.name)] ** 2 / coordinate.clip
                body[position] = value * self.unit(coordinate.name)
        norm = np.linalg.norm(body)
        return np.trunc(body * min(1.0, self.bound / norm if norm else 1.0)).astype(np.int64)


def test_a_coordinate_that_one_record_moves_without_bound():
    whole = Mechanism.of(PLAN)
    layout = LooseSpreads(
        whole.layout.coordinates, whole.layout.clip, whole.layout.scale, whole.layout.joint
    )
    found = audit(PLAN, repetitions=400, exact=False, mechanism=replace(whole, layout=layout))
    names = {check.name for check in found.checks if not check.passed}
    assert "longest step by one record" in names


class FirstScale(Altered):
    """Real clients' noise that keeps the scale of the first plan it was asked for."""

    def __init__(self, source):
        super().__init__(source, None)
        self.scale = None

    def sample(self, scale, size):
        self.scale = self.scale or scale
        return self.source.sample(self.scale, size)


def test_noise_of_the_scale_of_another_plan():
    whole = Mechanism.of(PLAN)
    mechanism = replace(whole, exact=lambda: FirstScale(whole.exact()))
    assert failed_of_exact(mechanism) == {"variance of exact share of another plan"}


class AnyRound(Observer):
    """Releases after rounds that the plan does not name."""

    def release(
        self, round_number, statistics, system, model=NOT_SHOWN, training=None, counts=None
    ):
        return self._release(round_number, statistics, system, model, training, counts or {})

    def _check_budget(self, limit, spent, event):
        """Nothing."""


def test_a_round_that_is_not_in_the_plan():
    assert "client" in seen_of_client(AnyRound)


LIMITS = [
    ("never passed", Limit, "passed_by", constant(False)),
    ("in any terms", Limit, "refuses", constant(None)),
    ("at twice the delta", Limit, "passed_by", twice_the_delta),
    ("not remembered", LimitFile, "write", constant(None)),
    ("not read", LimitFile, "read", constant(None)),
    ("the newest release only", BudgetFile, "read", forgets_others),
    ("not checked", Observer, "_check_budget", constant(None)),
]


@pytest.mark.parametrize(
    ("kind", "name", "broken"), [each[1:] for each in LIMITS], ids=[each[0] for each in LIMITS]
)
def test_a_limit_that_does_not_hold(kind, name, broken):
    with exchanged(kind, name, broken):
        assert seen_of_client()


class Redraws(Observer):
    """Asked again, it adds new noise to the same values."""

    def _release(self, round_number, statistics, system, model, training, counts):
        made = super()._release(round_number, statistics, system, model, training, counts)
        draws = self._noise.sample(math.sqrt(self._variance), len(made.vector))
        told = {UNSHOWN: model.unshown, DIFFERING: float(model.differing)}
        clean = self.layout.encode({**self._values(statistics, system), **told})
        return replace(made, vector=clean + draws)


class Quiet(Observer):
    """It asks for less noise than it says."""

    def __init__(self, plan, client, folder, *, noise):
        super().__init__(plan, client, folder, noise=noise)
        self._variance = self._variance // 2


@pytest.mark.parametrize("kind", [Redraws, Quiet])
def test_a_client_that_releases_something_else(kind):
    assert "client" in seen_of_client(kind)


def test_the_plan_itself_passes():
    assert caught() == set()
    assert failed_of_exact(Mechanism.of(PLAN)) == set()
