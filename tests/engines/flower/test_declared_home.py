"""A client's owner declares its home domain, in the node's config or in the client's folder."""

import json

import pytest
from flwr.app import Context, RecordDict

from unsilent.client.functions import Functions
from unsilent.client.participant import Agreed
from unsilent.engines.flower.site import site_of
from unsilent.errors import InputError
from unsilent.items import Item, write_items
from unsilent.messages import Order
from unsilent.plan import parse_plan
from unsilent.release.record_rules import HOME_KEY


def context(**config):
    return Context(run_id=1, node_id=1, node_config=config, state=RecordDict(), run_config={})


def test_the_nodes_config_comes_before_the_file(tmp_path):
    here = {"store": str(tmp_path)}
    assert site_of(context(**here)).home() is None
    (tmp_path / HOME_KEY).write_text(" news \n", encoding="utf-8")
    assert site_of(context(**here)).home() == "news"
    assert site_of(context(**here, **{HOME_KEY: "film"})).home() == "film"


def test_a_client_without_a_folder_has_declared_nothing(monkeypatch):
    monkeypatch.delenv("UNSILENT_SIMULATION", raising=False)
    assert site_of(context()).home() is None


@pytest.mark.parametrize("text", ["", "  \n", "film\nnews", "x" * 201])
def test_what_is_no_short_line_is_refused_without_being_shown(tmp_path, text):
    (tmp_path / HOME_KEY).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="one short line") as caught:
        site_of(context(store=str(tmp_path))).home()
    assert "film" not in str(caught.value)


def test_a_number_in_the_config_is_no_domain():
    with pytest.raises(InputError, match="one short line"):
        site_of(context(**{HOME_KEY: 3})).home()


def worse_on_news(items, arrays):
    """Right everywhere, but the trained adapter is wrong about the news."""
    rows = []
    for item in items:
        right = 0.1 if arrays is not None and item.domain == "news" else 0.9
        rows.append([right, 1 - right])
    return rows


@pytest.mark.parametrize(
    ("config", "lost"), [({}, 1.0), ({HOME_KEY: "news"}, 0.0), ({HOME_KEY: "film"}, 1.0)]
)
def test_a_client_is_measured_away_from_the_home_that_it_declared(tmp_path, config, lost):
    """Most of its records are of films."""

    def made(name, domains):
        return [
            Item(f"{name}{n}", f"{name} {n}", (" yes", " no"), answer=0, domain=domain)
            for n, domain in enumerate(domains)
        ]

    write_items(tmp_path / "task.jsonl", made("task", ["film", "news"] * 4))
    plan = parse_plan(
        {
            "federation": {"clients": 20},
            "modes": {"out_of_domain_degradation": {"tolerance": 0.1}},
            "probes": {"task": str(tmp_path / "task.jsonl"), "items": 8},
        }
    )
    functions = Functions(
        worse_on_news,
        lambda: made("own", ["film", "film", "news"]),
        personalize=lambda arrays: arrays,
    )
    order = Order(json.dumps(plan.to_json()), "", 1, arrays={"adapter": {}})
    site = site_of(context(store=str(tmp_path / "own"), plan=plan.digest, **config))
    statistics = functions(Agreed.to(order, site)).statistics
    assert [round(each.value, 6) for each in statistics] == [lost]
