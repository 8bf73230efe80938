"""A client's rounds: what stays is put back, a lasting model goes on, a round can be made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models.personalization.exact import arrays
from unsilent.errors import ModelError
from unsilent.models.base import Adapter
from unsilent.models.personalization import ClientRounds, Memory, Shelf, method_of
from unsilent.reference.own import Folder

BASE = "sha256:" + "a" * 64
A, B = "0.q.lora_A", "0.q.lora_B"


def adapter(value: float) -> Adapter:
    return Adapter(BASE, arrays(value))


def value(of: Adapter, name: str = B) -> float:
    return float(of.tensors[name][0])


def added(round_number: int, aggregated: Adapter, own: Adapter) -> Adapter:
    """Tells from which own model a round went on: it adds one, and a hundredth of the global."""
    return adapter(value(own) + 1.0 + value(aggregated) / 100)


def rounds(name: str, shelves: dict[str, Shelf], *, reference_round: int = 0) -> ClientRounds:
    return ClientRounds(
        method_of(name),
        lambda kind: shelves.setdefault(kind, Memory()),
        lambda: adapter(0.0),
        added,
        reference_round=reference_round,
    )


def test_what_stays_is_put_back_into_what_the_server_sends() -> None:
    client = rounds("fedsa", {})
    begun = client.begin(1, adapter(5.0))
    assert (value(begun, A), value(begun, B)) == (5.0, 0.0)
    assert set(client.end(1, adapter(2.0)).tensors) == {A, "1.q.lora_A"}
    begun = client.begin(2, Adapter(BASE, {A: begun.tensors[A], "1.q.lora_A": begun.tensors[A]}))
    assert (value(begun, A), value(begun, B)) == (5.0, 2.0)


def test_a_server_has_no_influence_on_who_trains_alone() -> None:
    client = rounds("local", {})
    assert client.end(1, adapter(2.0)).tensors == {}
    assert client.begin(2, adapter(99.0)).digest == adapter(2.0).digest
    assert client.whole(2, Adapter(BASE, {})).digest == adapter(2.0).digest


@pytest.mark.parametrize("monitored", [(), (1,), (1, 2), (2,)])
def test_a_lasting_model_does_not_depend_on_which_rounds_are_monitored(
    monitored: tuple[int, ...],
) -> None:
    client = rounds("ditto", {})
    for number in (1, 2):
        client.begin(number, adapter(10.0 * (number - 1)))
        if number in monitored:
            client.personal(number, adapter(10.0 * number))
    client.begin(3, adapter(20.0))
    assert value(client.personal(3, adapter(30.0))) == pytest.approx(3.0 + 0.1 + 0.2 + 0.3)


@pytest.mark.parametrize("name", ["ditto", "fedsa", "local", "fedper"])
def test_a_round_that_is_made_again_begins_from_the_one_before(name: str) -> None:
    client = rounds(name, {})
    client.begin(1, adapter(0.0))
    client.end(1, adapter(1.0))
    client.personal(1, client.whole(2, adapter(1.0)))
    made = []
    for _ in range(2):
        begun = client.begin(2, adapter(1.0))
        client.end(2, adapter(2.0 + value(begun)))
        whole = client.whole(3, adapter(3.0))
        made.append((begun.digest, whole.digest, client.personal(2, whole).digest))
    assert made[0] == made[1]


def test_behaviour_is_compared_with_what_the_reference_round_began_with() -> None:
    client = rounds("fedsa", {}, reference_round=2)
    client.end(1, adapter(1.0))
    client.begin(2, adapter(4.0))
    client.end(2, adapter(7.0))
    found = client.reference(adapter(4.0))
    assert (value(found, A), value(found, B)) == (4.0, 1.0)


def test_who_was_not_in_the_reference_round_is_compared_with_the_start() -> None:
    client = rounds("fedsa", {}, reference_round=1)
    client.end(2, adapter(7.0))
    found = client.reference(adapter(4.0))
    assert (value(found, A), value(found, B)) == (4.0, 0.0)


@pytest.fixture(params=["memory", "folder"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return Memory() if request.param == "memory" else Folder(tmp_path, "own", {"run": "1"})


def test_a_shelf_gives_the_newest_before_a_round_and_keeps_two(shelf: Shelf) -> None:
    assert shelf.before(9, BASE) is None
    for number in (1, 4, 6):
        shelf.keep(number, adapter(number))
    assert [shelf.holds(number) for number in (1, 4, 5, 6)] == [False, True, False, True]
    found = [shelf.before(number, BASE) for number in (7, 6, 4)]
    assert [None if each is None else value(each) for each in found] == [6.0, 4.0, None]


def test_a_folder_does_not_read_what_another_run_left(tmp_path: Path) -> None:
    Folder(tmp_path, "own", {"run": "1"}).keep(1, adapter(1.0))
    other = Folder(tmp_path, "own", {"run": "2"})
    assert not other.holds(1)
    assert other.before(5, BASE) is None
    other.keep(1, adapter(2.0))
    found = other.before(5, BASE)
    assert found is not None and value(found) == 2.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own-1.json", "own-1.safetensors"]


def test_a_folder_refuses_an_adapter_of_another_base(tmp_path: Path) -> None:
    shelf = Folder(tmp_path, "own", {"run": "1"})
    shelf.keep(1, Adapter("sha256:other", {"x": np.zeros(1, np.float32)}))
    with pytest.raises(ModelError, match="another base"):
        shelf.before(2, BASE)
