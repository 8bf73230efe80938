"""Nothing that a simulated round writes, logs, sends or raises holds a statistic before noise."""

import json
import logging
import math

import numpy as np
import pytest

from unsilent.client.model_check import ModelCheck
from unsilent.client.observer import Observer, SystemChange
from unsilent.client.own_statistics import OWN_FILE
from unsilent.contract import contract
from unsilent.errors import UnsilentError
from unsilent.findings import write_findings
from unsilent.ledger import Ledger
from unsilent.modes.base import Statistic
from unsilent.plan import parse_plan
from unsilent.release import Layout, Release, SeededNoise
from unsilent.release.noise import share_variance
from unsilent.release.secure_sum import Round, SecureClient, SetUp, Terms
from unsilent.report.page import write_page
from unsilent.report.source import read_run
from unsilent.report.spending import spending
from unsilent.server.monitor import Monitor

CLIENTS = 6
ROUND = 1
CODES = ("SF-1", "SF-2", "SF-6")


def plan(aggregation):
    return parse_plan(
        {
            "name": "secrets",
            "federation": {"clients": CLIENTS, "rounds": 1},
            "monitor": {"min_cohort": CLIENTS},
            "privacy": {"epsilon": 4.0, "aggregation": aggregation},
            "modes": {
                "amplified_bias": {"tolerance": 0.1},
                "confidence_miscalibration": {"tolerance": 0.1},
                "alignment_erosion": {"tolerance": 0.1},
            },
        }
    )


class Private:
    """What one client measures: numbers that nobody would come by otherwise."""

    def __init__(self, index):
        random = np.random.default_rng([77, index])
        self.values = random.uniform(0.05, 0.29, len(CODES)).tolist()
        self.spreads = random.uniform(0.01, 0.2, len(CODES)).tolist()
        self.system = SystemChange(*random.uniform(-0.4, 0.4, 2).tolist())
        unshown = float(random.uniform(0.05, 0.3))
        self.model = ModelCheck(unshown, notes=(f"look at part {1e6 * unshown:.0f}",))

    def statistics(self):
        return [
            Statistic(code, value, -1.0, 1.0, spread, 50)
            for code, value, spread in zip(CODES, self.values, self.spreads, strict=True)
        ]

    def numbers(self):
        system = (self.system.loss, self.system.accuracy)
        return [*self.values, *self.spreads, *system, self.model.unshown]

    def vector(self, layout):
        values = {"system.loss": self.system.loss, "system.accuracy": self.system.accuracy}
        values |= {"model.unshown": self.model.unshown, "model.differing": 0.0}
        for code, value, spread in zip(CODES, self.values, self.spreads, strict=True):
            values |= {code: value, f"{code}.spread": spread}
        return layout.encode(values)


def traces(private, layout):
    """Byte strings that would give a client's statistics away, in text or in binary."""
    for number in private.numbers():
        # As it is rounded, and as a longer text begins.
        yield f"{abs(number):.6f}"[1:].encode()
        yield f"{abs(number):.12f}"[1:8].encode()
        yield np.float64(number).tobytes()
        yield np.float32(number).tobytes()
    yield from (note.encode() for note in private.model.notes)
    vector = private.vector(layout)
    yield from vector_traces(vector)


def vector_traces(vector):
    yield vector.astype("<i8").tobytes()
    yield (vector % 2**32).astype("<u4").tobytes()
    for separator in (", ", ",", ",\n "):
        yield separator.join(map(str, vector.tolist())).encode()


class Wire:
    """Everything that reaches the server, in order."""

    def __init__(self):
        self.seen = []

    def __call__(self, data):
        self.seen.append(bytes(data))
        return data


def masked_sum(of, folder, wire, vectors):
    terms = Terms.from_plan(of)
    clients = [SecureClient(terms, folder / str(index)) for index in range(CLIENTS)]
    by_identity = {client.identity: client for client in clients}
    setup = SetUp(terms)
    for client in clients:
        assert setup.add_advert(client.identity, wire(client.advertise()))
    roster = setup.roster()
    for client in clients:
        assert setup.add_shares(client.identity, wire(client.share(roster)))
    for identity, boxes in setup.boxes().items():
        assert setup.add_confirmation(identity, wire(by_identity[identity].accept(boxes)))
    one = Round(setup.session(), ROUND)
    for client, vector in zip(clients, vectors, strict=True):
        assert one.add(client.identity, wire(client.mask(ROUND, vector)))
    one.close()
    for identity, request in one.requests().items():
        assert one.add_answer(identity, wire(by_identity[identity].unmask(request)))
    vector, survivors = one.total()
    noise = float(share_variance(of) * len(survivors))
    return Release(Layout.from_plan(of).digest, ROUND, len(survivors), vector, noise)


@pytest.fixture(params=["plain", "secure-sum"])
def told(request, tmp_path, caplog, capfd):
    """A whole round, everything it left behind as bytes, and its clients."""
    caplog.set_level(logging.DEBUG)
    of = plan(request.param)
    server, homes, wire = tmp_path / "server", tmp_path / "clients", Wire()
    server.mkdir()
    clients = [Private(index) for index in range(CLIENTS)]
    monitor = Monitor(of, Ledger(server / "ledger.sqlite"), accept_underpowered=True)
    monitor.system(ROUND, 0.5, 0.7)
    monitor.spend(ROUND)
    releases = [
        Observer(of, f"client-{index}", homes / str(index), noise=SeededNoise([5, index])).release(
            ROUND, private.statistics(), private.system, private.model
        )
        for index, private in enumerate(clients)
    ]
    if request.param == "plain":
        total = monitor.sum(ROUND, [Release.from_bytes(wire(r.to_bytes())) for r in releases])
    else:
        total = masked_sum(of, homes, wire, [release.vector for release in releases])
    assert total.vector.tolist() == np.sum([r.vector for r in releases], axis=0).tolist()
    monitor.judge(ROUND, total)
    (server / "plan.json").write_text(json.dumps(of.to_json()))
    write_findings(server / "findings.json", monitor.findings())
    page = write_page(server)
    assert page.stat().st_size > 1000
    out, err = capfd.readouterr()
    said = [caplog.text, out, err, contract(of).text(), json.dumps(spending(server).to_json())]
    said += [repr(read_run(server)), repr(monitor), repr(total)]
    places = {
        "server": [path.read_bytes() for path in server.rglob("*") if path.is_file()],
        # Its exact numbers are in one file, for the client itself alone.
        "clients": [
            path.read_bytes()
            for path in homes.rglob("*")
            if path.is_file() and path.name != OWN_FILE
        ],
        "wire": wire.seen,
        "said": [text.encode() for text in said],
    }
    return of, clients, releases, places


def test_no_statistic_is_found_anywhere(told):
    of, clients, _, places = told
    layout = Layout.from_plan(of)
    assert len(places["server"]) >= 4
    assert len(places["clients"]) >= 3 * CLIENTS
    for where, contents in places.items():
        for content in contents:
            for private in clients:
                for trace in traces(private, layout):
                    assert trace not in content, where


def test_with_a_secure_sum_no_noised_vector_leaves_a_client_or_reaches_the_ledger(told):
    of, _, releases, places = told
    outside = b"".join(places["server"] + places["wire"] + places["said"])
    leaked = [
        any(trace in outside for trace in vector_traces(release.vector)) for release in releases
    ]
    # What plain aggregation shows the server is the control: the search does find a vector.
    assert leaked == [of.privacy.aggregation == "plain"] * CLIENTS
    ledger = b"".join(places["server"])
    for release in releases:
        assert not any(trace in ledger for trace in vector_traces(release.vector))


def test_the_search_would_find_what_it_looks_for():
    layout = Layout.from_plan(plan("plain"))
    private = Private(0)
    value = private.values[0]
    clean = private.vector(layout)
    for leak in (
        json.dumps({"SF-1": value}).encode(),
        f"bias {value:.6f} is too high".encode(),
        np.array([value]).tobytes(),
        clean.tobytes(),
        json.dumps(clean.tolist()).encode(),
        json.dumps(private.model.notes).encode(),
    ):
        assert any(trace in leak for trace in traces(private, layout))


def faults(of, folder, private):
    """Calls that go wrong with a client's numbers in hand."""
    observer = Observer(of, "client-0", folder, noise=SeededNoise(5))
    statistics = private.statistics()
    yield lambda: observer.release(ROUND, statistics[:-1], private.system, private.model)
    yield lambda: observer.release(ROUND + 5, statistics, private.system, private.model)
    yield lambda: observer.release(ROUND, statistics, SystemChange(math.nan, private.system.loss))
    yield lambda: Statistic("SF-1", 100 * private.values[0], -1.0, 1.0, 0.1, 5)
    yield lambda: Statistic("SF-1", private.values[0], -1.0, 1.0, -private.spreads[0], 5)
    layout = Layout.from_plan(of)
    values = dict.fromkeys(layout.inputs, private.values[0])
    yield lambda: layout.encode(values | {"SF-1": math.inf})
    yield lambda: layout.encode(values | {"more": private.values[0]})
    yield lambda: Release.from_bytes(private.vector(layout).tobytes())


def test_no_error_shows_a_number_of_the_client(tmp_path):
    of, private = plan("plain"), Private(0)
    layout = Layout.from_plan(of)
    raised = 0
    for fault in faults(of, tmp_path / "client", private):
        with pytest.raises(UnsilentError) as caught:
            fault()
        raised += 1
        text = f"{caught.value!r} {caught.value} {caught.value.line()}".encode()
        assert not any(trace in text for trace in traces(private, layout))
        assert f"{100 * private.values[0]:.3f}".encode() not in text
    assert raised == 8
