"""Each channel is told each event once, in order; what fails is recorded and disturbs nothing."""

import json
import threading
import time

import pytest

from tests.alerts.conftest import judge, miss
from unsilent.alerts.deliver import (
    CURSORS,
    BackgroundDelivery,
    Channel,
    Delivery,
)
from unsilent.errors import AlertError, InputError
from unsilent.server.monitor import Monitor

ALL = ("judged", "missed", "stopped")


class Notes:
    """A sink that notes what it is told."""

    def __init__(self, failing=()):
        self.told = []
        self.failing = list(failing)

    def send(self, event):
        if event.round in self.failing:
            raise AlertError("not delivered in 5 attempts: HTTP 500", where="webhook")
        self.told.append((event.happening, event.round, event.key))


def rounds(sink):
    return [round_number for _, round_number, _ in sink.told]


def test_everything_is_told_once_and_in_order(ledger, plan, folder):
    sink = Notes()
    delivery = Delivery(ledger, folder, (Channel("a", sink, ALL),))
    judge(ledger, plan, 1)
    miss(ledger, 2)
    assert delivery.deliver() == 2
    assert delivery.deliver() == 0
    ledger.append("stopped", {"round": 3, "reason": "The budget is spent."})
    assert Delivery(ledger, folder, (Channel("a", sink, ALL),)).deliver() == 1
    assert [(what, number) for what, number, _ in sink.told] == [
        ("judged", 1),
        ("missed", 2),
        ("stopped", 3),
    ]
    assert len({key for _, _, key in sink.told}) == 3


def test_a_failed_alert_is_recorded_and_the_others_go_on(ledger, plan, folder):
    bad, good = Notes(failing=[1]), Notes()
    channels = (Channel("webhook.ops", bad, ALL), Channel("b", good, ALL))
    judge(ledger, plan, 1)
    judge(ledger, plan, 2)
    assert Delivery(ledger, folder, channels).deliver() == 3
    assert (rounds(bad), rounds(good)) == ([2], [1, 2])
    (failed,) = ledger.entries("alert_failed")
    assert failed.payload == {
        "round": 1,
        "channel": "webhook.ops",
        "entry": ledger.entries("findings")[0].index,
        "reason": "not delivered in 5 attempts: HTTP 500",
    }
    assert ledger.verify() == ledger.size


def test_a_channel_is_told_only_what_it_asked_for(ledger, plan, folder):
    open_only, missed = Notes(), Notes()
    channels = (
        Channel("a", open_only, ("undetermined",)),
        Channel("b", missed, ("missed",)),
    )
    judge(ledger, plan, 1)
    miss(ledger, 2)
    Delivery(ledger, folder, channels).deliver()
    assert (rounds(open_only), rounds(missed)) == ([1], [2])


def test_a_channel_added_later_is_told_what_was(ledger, plan, folder):
    first, later = Notes(), Notes()
    judge(ledger, plan, 1)
    Delivery(ledger, folder, (Channel("a", first, ALL),)).deliver()
    Delivery(ledger, folder, (Channel("a", first, ALL), Channel("b", later, ALL))).deliver()
    assert (rounds(first), rounds(later)) == ([1], [1])


def test_killed_before_it_noted_it_tells_again_under_the_same_key(ledger, plan, folder):
    sink = Notes()
    judge(ledger, plan, 1)
    Delivery(ledger, folder, (Channel("a", sink, ALL),)).deliver()
    (folder / CURSORS).unlink()
    Delivery(ledger, folder, (Channel("a", sink, ALL),)).deliver()
    assert sink.told[0] == sink.told[1]


@pytest.mark.parametrize("text", ["{", "[]", '{"a": "x"}'])
def test_a_damaged_file_of_places(ledger, plan, folder, text):
    (folder / CURSORS).write_text(text)
    judge(ledger, plan, 1)
    with pytest.raises(InputError, match=r"alerts\.json: not readable"):
        Delivery(ledger, folder, (Channel("a", Notes(), ALL),)).deliver()


def test_a_run_does_not_wait_for_a_channel_that_hangs(ledger, plan, folder):
    released = threading.Event()

    class Hangs:
        def send(self, event):
            released.wait(30)

    start = time.monotonic()
    with BackgroundDelivery(Delivery(ledger, folder, (Channel("a", Hangs(), ALL),)), patience=0.2):
        monitor = Monitor(plan, ledger)
        for number in (1, 2, 3):
            monitor.miss(number, "no client answered")
    assert time.monotonic() - start < 5
    assert len(ledger.entries("missed")) == 3
    released.set()


def test_the_background_tells_what_is_due_before_it_ends(ledger, plan, folder):
    sink = Notes()
    with BackgroundDelivery(Delivery(ledger, folder, (Channel("a", sink, ALL),))):
        miss(ledger, 1)
    assert rounds(sink) == [1]
    assert json.loads((folder / CURSORS).read_text()) == {"a": ledger.size}


def test_a_fault_in_the_background_does_not_reach_the_run(ledger, plan, folder):
    (folder / CURSORS).write_text("{")
    with BackgroundDelivery(Delivery(ledger, folder, (Channel("a", Notes(), ALL),))):
        miss(ledger, 1)
    assert len(ledger.entries("missed")) == 1


class Broken:
    """A receiver whose library raises what nobody foresaw."""

    def send(self, event):
        raise ValueError("https://token@alerts.example.org")


def test_a_receiver_that_fails_in_its_own_way_takes_no_other_its_alerts(ledger, plan, folder):
    good = Notes()
    channels = (Channel("bad", Broken(), ALL), Channel("good", good, ALL))
    with BackgroundDelivery(Delivery(ledger, folder, channels)):
        judge(ledger, plan, 1)
        miss(ledger, 2)
    assert rounds(good) == [1, 2]
    assert [e.payload["reason"] for e in ledger.entries("alert_failed")] == ["ValueError"] * 2
