"""A client's owner declares its home domain, in the node's config or in the client's folder."""

import json

import pytest
from flwr.app import ArrayRecord, Context, RecordDict

from unsilent.engines.flower.home import declared_home
from unsilent.engines.flower.measuring import Functions, measure
from unsilent.errors import InputError
from unsilent.items import Item, write_items
from unsilent.plan import parse_plan
from unsilent.release.record_rules import HOME_KEY


def context(**config):
    return Context(run_id=1, node_id=1, node_config=config, state=RecordDict(), run_config={})


def test_the_nodes_config_comes_before_the_file(tmp_path):
    here = {"store": str(tmp_path)}
    assert declared_home(context(**here)) is None
    (tmp_path / HOME_KEY).write_text(" news \n", encoding="utf-8")
    assert declared_home(context(**here)) == "news"
    assert declared_home(context(**here, **{HOME_KEY: "film"})) == "film"


def test_a_client_without_a_folder_has_declared_nothing(monkeypatch):
    monkeypatch.delenv("UNSILENT_SIMULATION", raising=False)
    assert declared_home(context()) is None


@pytest.mark.parametrize("text", ["", "  \n", "film\nnews", "x" * 201])
def test_what_is_no_short_line_is_refused_without_being_shown(tmp_path, text):
    (tmp_path / HOME_KEY).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="one short line") as caught:
        declared_home(context(store=str(tmp_path)))
    assert "film" not in str(caught.value)


def test_a_number_in_the_config_is_no_domain():
    with pytest.raises(InputError, match="one short line"):
        declared_home(context(**{HOME_KEY: 3}))


def worse_on_news(items, arrays, context):
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
            "probes": {"task": str(tmp_path / "task.jsonl")},
        }
    )
    functions = Functions(worse_on_news, lambda context: made("own", ["film", "film", "news"]))
    arrays = ArrayRecord()
    adapters = {"reference": None, "global": arrays, "personalized": arrays}
    statistics, _ = measure(
        functions,
        json.dumps(plan.to_json()),
        adapters,
        context(store=str(tmp_path / "own"), **config),
    )
    assert [round(each.value, 6) for each in statistics] == [lost]
