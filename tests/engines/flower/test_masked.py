"""The secure sum over Flower's messages: whatever a client does, no sum or the right one.

The client's handlers are the app's own, called with real messages; only the network is missing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

from tests.engines.flower import wire as messages
from tests.engines.flower.wire import AGREE, BOXES, DRAW, KEYS, NAME, OBSERVE, SHARES, UNMASK
from unsilent.engines.flower import client
from unsilent.engines.flower.messages import answer_in
from unsilent.errors import RunError, SecureSumError
from unsilent.ledger import Ledger
from unsilent.messages import Answer
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import Release
from unsilent.release.noise import share_variance
from unsilent.release.secure_sum import Parameters, SecureClient, SetUp, Terms
from unsilent.release.secure_sum.enrolment import Enrolled
from unsilent.server import masked_sum
from unsilent.server.masked_sum import SecureSum
from unsilent.server.monitor import Monitor
from unsilent.server.transport import Answers, sorted_answers

CLIENTS = 10
STAGES = (KEYS, SHARES, BOXES, OBSERVE, AGREE, UNMASK)


def plan(**privacy: object) -> MonitoringPlan:
    return parse_plan(
        {
            "name": "masked",
            "federation": {"clients": CLIENTS, "rounds": 2},
            "monitor": {"rounds": "every", "min_cohort": 5},
            "privacy": {
                "aggregation": "secure-sum",
                "dropout": 0.1,
                "collusion": 0.1,
                "secure_sum": {"consistency": "on"},
                **privacy,
            },
            "modes": {"amplified_bias": {"tolerance": 0.1}},
        }
    )


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are made inside a run of Flower only, which says who makes them."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


Fault = Callable[[bytes, "Network"], bytes | None]
"""What arrives instead of a client's answer; None for nothing."""


def _answers(replies: Mapping[int, Message]) -> dict[int, Answer]:
    return {node: answer_in(reply) for node, reply in replies.items()}


class Network:
    """Nodes with folders of their own, and faults by stage and node."""

    def __init__(self, of: MonitoringPlan, folder: Path) -> None:
        self.plan = of
        self.folder = folder
        self.faults: dict[tuple[str, int], Fault] = {}
        self.sent: dict[int, int] = dict.fromkeys(range(CLIENTS), 0)
        self.asked: list[str] = []
        self.order = {"plan": of.model_dump_json(by_alias=True)}
        self.identities = {node: self._identity(node) for node in range(CLIENTS)}

    def vector(self, node: int, round_number: int) -> NDArray[np.int64]:
        random = np.random.default_rng([node, round_number])
        return random.integers(-20_000, 20_000, Terms.from_plan(self.plan).length)

    def context(self, node: int) -> Context:
        return Context(
            run_id=1,
            node_id=node,
            node_config={"partition-id": node, "store": str(self.folder / f"client-{node}")},
            state=RecordDict(),
            run_config={},
        )

    def ask(
        self, kind: str, round_number: int, asked: Mapping[int, Mapping[str, Any]], stage: str
    ) -> Answers:
        kind = messages.type_of(kind)
        self.asked.append(kind)
        replies: dict[int, Message] = {}
        for node, values in asked.items():
            request = messages.request(node, kind, {**self.order, **values}, round_number)
            reply = client.on_message(request, self.context(node))
            self._deliver(kind, node, request, reply, replies)
        return sorted_answers(asked, _answers(replies))

    def measure(self, round_number: int) -> Answers:
        replies: dict[int, Message] = {}
        for node in range(CLIENTS):
            request = messages.request(node, OBSERVE, self.order, round_number)
            masking = SecureClient(Terms.from_plan(self.plan), self.folder / f"client-{node}")
            try:
                body = masking.mask(round_number, self.vector(node, round_number))
                reply = messages.answer(request, {"body": body})
            except SecureSumError as error:
                reply = messages.answer(request, {messages.FAILED: error.line()})
            self._deliver(OBSERVE, node, request, reply, replies)
        return sorted_answers(range(CLIENTS), _answers(replies))

    def _deliver(
        self, kind: str, node: int, request: Message, reply: Message, replies: dict[int, Message]
    ) -> None:
        values = reply.content.config_records[messages.ANSWER]
        fault = self.faults.get((kind, node))
        if fault is not None and messages.FAILED not in values:
            body = fault(bytes(values["body"]), self)  # type: ignore[arg-type]
            if body is None:
                return
            reply = messages.answer(request, {"body": body})
            values = reply.content.config_records[messages.ANSWER]
        if messages.FAILED not in values:
            self.sent[node] += len(bytes(values["body"]))  # type: ignore[arg-type]
        replies[node] = reply

    def _identity(self, node: int) -> bytes:
        reply = client.on_message(messages.request(node, NAME, self.order, 0), self.context(node))
        return bytes(reply.content.config_records[messages.ANSWER]["identity"])  # type: ignore[arg-type]


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Network(plan(), tmp_path)


def secure_sum(network: Network) -> SecureSum:
    monitor = Monitor(network.plan, Ledger(network.folder / "ledger.sqlite"))
    return SecureSum(network.plan, monitor, network.folder, network.ask)


def run_round(network: Network, summing: SecureSum, number: int) -> Release:
    summing.prepare(number, network.identities)
    return summing.collect(number, lambda: network.measure(number))


def assert_is_a_true_sum(network: Network, total: Release, dropped: set[int]) -> None:
    survivors = set(range(CLIENTS)) - dropped
    expected = sum(network.vector(node, total.round) for node in survivors)
    np.testing.assert_array_equal(total.vector, expected)
    assert total.clients == CLIENTS - len(dropped)
    assert total.noise_variance == share_variance(network.plan) * total.clients


def silent(body: bytes, network: Network) -> None:
    return None


def truncated(body: bytes, network: Network) -> bytes:
    return body[:-1]


def oversized(body: bytes, network: Network) -> bytes:
    return body + b"\0" * 64


def empty(body: bytes, network: Network) -> bytes:
    return b""


def flipped(body: bytes, network: Network) -> bytes:
    return body[:-9] + bytes([body[-9] ^ 1]) + body[-8:]


# Each stage with each kind of fault would say no more: what is read is read by one reader.
FAULTS = [(stage, silent) for stage in STAGES]
FAULTS += [(KEYS, truncated), (SHARES, oversized), (OBSERVE, truncated), (UNMASK, empty)]


def test_without_faults_the_sum_is_that_of_all(network: Network) -> None:
    summing = secure_sum(network)
    for number in (1, 2):
        assert_is_a_true_sum(network, run_round(network, summing, number), set())
    assert network.asked == [KEYS, SHARES, BOXES, AGREE, UNMASK, AGREE, UNMASK]


@pytest.mark.parametrize(("stage", "fault"), FAULTS)
def test_one_faulty_client_costs_at_most_its_own_part(
    network: Network, stage: str, fault: Fault
) -> None:
    network.faults[stage, 3] = fault
    total = run_round(network, secure_sum(network), 1)
    # Who answers neither the signing nor the opening is in the sum all the same.
    in_the_sum = stage in (AGREE, UNMASK, BOXES)
    assert_is_a_true_sum(network, total, set() if in_the_sum else {3})


@pytest.mark.parametrize("stage", STAGES)
def test_a_byte_that_was_changed_never_gives_a_wrong_sum(network: Network, stage: str) -> None:
    network.faults[stage, 3] = flipped
    try:
        total = run_round(network, secure_sum(network), 1)
    except SecureSumError:
        return
    missing = sum(network.vector(node, 1) for node in range(CLIENTS)) - total.vector
    # A neighbour that cannot open its box drops out instead of the one that sealed it.
    possible = [np.zeros_like(missing), *(network.vector(node, 1) for node in range(CLIENTS))]
    assert any(np.array_equal(missing, one) for one in possible)


@pytest.mark.parametrize("stage", [KEYS, BOXES, OBSERVE, UNMASK])
def test_too_many_drop_outs_end_the_round_with_the_reason(network: Network, stage: str) -> None:
    for node in range(6):
        network.faults[stage, node] = silent
    with pytest.raises(SecureSumError) as caught:
        run_round(network, secure_sum(network), 1)
    assert any(character.isdigit() for character in caught.value.what)


@pytest.fixture
def sparse(network: Network, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Each client has six neighbours only."""
    few = Parameters(CLIENTS, 6, 3, 7, consistency=True, colluders=1)
    monkeypatch.setattr("unsilent.release.secure_sum.terms.parameters_of", lambda _: few)
    return network


def test_a_sparse_graph_is_drawn_before_keys_are_shared(sparse: Network) -> None:
    summing = secure_sum(sparse)
    for number in (1, 2):
        assert_is_a_true_sum(sparse, run_round(sparse, summing, number), set())
    assert sparse.asked == [KEYS, DRAW, SHARES, BOXES, AGREE, UNMASK, AGREE, UNMASK]


@pytest.mark.parametrize("fault", [silent, flipped, truncated])
def test_a_client_that_is_lost_in_the_draw_costs_its_own_part(
    sparse: Network, fault: Fault
) -> None:
    sparse.faults[DRAW, 3] = fault
    assert_is_a_true_sum(sparse, run_round(sparse, secure_sum(sparse), 1), {3})
    assert sparse.asked[:5] == [KEYS, DRAW, KEYS, DRAW, SHARES]


def test_too_many_lost_in_the_draw_end_the_set_up_with_the_reason(sparse: Network) -> None:
    for node in range(4):
        sparse.faults[DRAW, node] = silent
    with pytest.raises(SecureSumError, match="6 clients sent their keys"):
        run_round(sparse, secure_sum(sparse), 1)


def test_a_set_up_is_given_up_when_in_each_draw_another_is_lost(
    sparse: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unsilent.server.masked_sum._DRAWS", 2)

    def leaves(draw: int) -> Fault:
        return lambda body, network: None if network.asked.count(DRAW) == draw else body

    sparse.faults = {(DRAW, node): leaves(node + 1) for node in range(2)}
    with pytest.raises(SecureSumError, match="1 of the 9 clients that draw the graph did not"):
        run_round(sparse, secure_sum(sparse), 1)
    assert sparse.asked == [KEYS, DRAW, KEYS, DRAW]


def test_who_answers_for_another_is_not_heard(network: Network) -> None:
    kept: dict[str, bytes] = {}

    def keep(body: bytes, network: Network) -> bytes:
        kept["body"] = body
        return body

    network.faults[OBSERVE, 2] = keep
    network.faults[OBSERVE, 3] = lambda body, network: kept["body"]
    total = run_round(network, secure_sum(network), 1)
    assert_is_a_true_sum(network, total, {3})


def test_a_server_that_was_killed_goes_on_with_its_set_up(network: Network) -> None:
    first = secure_sum(network)
    first.prepare(1, network.identities)
    network.measure(1)
    total = run_round(network, secure_sum(network), 1)
    assert_is_a_true_sum(network, total, set())
    assert network.asked.count(KEYS) == 1


def test_a_set_up_of_an_earlier_version_is_refused_with_what_to_do(network: Network) -> None:
    secure_sum(network).prepare(1, network.identities)
    (path,) = network.folder.glob("secure-sum-*.bin")
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\1" + data[5:])
    with pytest.raises(SecureSumError, match="has version 1, not 2") as refused:
        secure_sum(network).prepare(1, network.identities)
    assert refused.value.where == str(path)
    path.unlink()
    assert_is_a_true_sum(network, run_round(network, secure_sum(network), 1), set())


def test_a_new_set_up_cannot_open_a_round_that_was_masked(network: Network) -> None:
    """Else the difference of two sums would show a client's vector."""
    assert run_round(network, secure_sum(network), 1).clients == CLIENTS
    for path in network.folder.glob("secure-sum-*.bin"):
        path.unlink()
    with pytest.raises((RunError, SecureSumError)):
        run_round(network, secure_sum(network), 1)
    assert_is_a_true_sum(network, run_round(network, secure_sum(network), 2), set())


def test_nobody_answering_is_said_so(network: Network) -> None:
    for node in range(CLIENTS):
        network.faults[OBSERVE, node] = silent
    with pytest.raises(RunError, match="no client"):
        run_round(network, secure_sum(network), 1)


def test_a_failure_names_what_a_client_said(network: Network) -> None:
    (network.folder / "client-3" / "secure-sum" / "identity.key").write_bytes(b"no key")
    for node in range(4, 9):
        (network.folder / f"client-{node}" / "secure-sum" / "identity.key").write_bytes(b"no key")
    with pytest.raises(SecureSumError, match="This client refused its part in the secure sum"):
        run_round(network, secure_sum(network), 1)
    assert "not a signing key" in (network.folder / "client-3" / "error.log").read_text()


def test_unpinned_clients_are_refused_where_keys_are_pinned(tmp_path: Path) -> None:
    open_network = Network(plan(), tmp_path / "a")
    keys = [identity.hex() for identity in open_network.identities.values()]
    network = Network(plan(secure_sum={"keys": keys}), tmp_path / "a")
    assert run_round(network, secure_sum(network), 1).clients == CLIENTS
    stranger = Network(plan(secure_sum={"keys": keys}), tmp_path / "b")
    with pytest.raises(SecureSumError):
        run_round(stranger, secure_sum(stranger), 1)


def test_a_replaced_key_is_in_no_sum_where_keys_are_pinned(tmp_path: Path) -> None:
    """A site that was set up anew has another key: its numbers wait for a plan that lists it."""
    before = Network(plan(), tmp_path / "a")
    keys = [identity.hex() for identity in before.identities.values()]
    pinned = plan(secure_sum={"keys": keys})
    replaced = tmp_path / "a" / "client-3" / "secure-sum"
    shutil.rmtree(replaced)
    network = Network(pinned, tmp_path / "a")
    assert network.identities[3] != before.identities[3]
    summing = secure_sum(network)
    assert 3 not in summing.prepare(1, network.identities)
    assert_is_a_true_sum(network, run_round(network, summing, 1), {3})


def test_a_server_that_lets_a_replaced_key_in_is_refused_by_the_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Network(plan(), tmp_path / "a")
    keys = [identity.hex() for identity in before.identities.values()]
    shutil.rmtree(tmp_path / "a" / "client-3" / "secure-sum")
    network = Network(plan(secure_sum={"keys": keys}), tmp_path / "a")

    def lenient(terms: Terms, *, pinned: object, enrolled: Enrolled) -> SetUp:
        return SetUp(terms, enrolled=enrolled)

    monkeypatch.setattr(masked_sum, "SetUp", lenient)
    with pytest.raises(SecureSumError):
        run_round(network, secure_sum(network), 1)
    assert "secure_sum.keys" in (network.folder / "client-5" / "error.log").read_text()


def test_a_round_sends_little(network: Network) -> None:
    summing = secure_sum(network)
    for number in (1, 2):
        run_round(network, summing, number)
    assert max(network.sent.values()) / 2 < 16 * 1024


def test_masks_and_keys_need_no_model_library() -> None:
    code = (
        "import sys, unsilent.engines.flower.client, unsilent.release.secure_sum; "
        "print(*sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
