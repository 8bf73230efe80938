"""From a source to the items that are asked: cuts, draws, repeats, pins and the model kind."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.lm_eval_files import write_task
from tests.probes.known.samples import SAMPLES, lines, stem
from unsilent.errors import AssetError, ItemError, PlanError
from unsilent.items import Item, ItemSet
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes import load_probes
from unsilent.probes.check import pin_of
from unsilent.probes.harmful import harmful_prompts, words_of
from unsilent.probes.known.base import Asked
from unsilent.probes.known.load import draw, load_known
from unsilent.probes.known.read import rows
from unsilent.probes.known.row import Part
from unsilent.probes.known.spec import parse_source
from unsilent.probes.templates import ENCODER


def write(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    for file, text in SAMPLES[name].files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def own(path: Path, prefix: str, n: int = 8, **fields: Any) -> Path:
    records = [
        {"id": f"{prefix}{i}", "prompt": f"{prefix} {i}", "choices": ["x", "y"], **fields}
        for i in range(n)
    ]
    path.write_text(lines(*records))
    return path


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    """User files for every role, so that no test downloads anything."""
    task = own(tmp_path / "task.jsonl", "t", answer=0, domain="a").read_text()
    other = own(tmp_path / "other.jsonl", "u", answer=0, domain="b").read_text()
    (tmp_path / "task.jsonl").write_text(task + other)
    return {
        "bias": str(own(tmp_path / "bias.jsonl", "b", stereotyped=0)),
        "task": str(tmp_path / "task.jsonl"),
        "general": str(own(tmp_path / "general.jsonl", "g", answer=0)),
        "harmful": str(own(tmp_path / "harmful.jsonl", "h", safe=[0])),
        "benign": str(own(tmp_path / "benign.jsonl", "n", safe=[0])),
    }


def plan(probes: dict[str, str], items: int = 8) -> MonitoringPlan:
    modes = {"amplified_bias": {"tolerance": 0.1}}
    # A model of one's own: the embedded one brings requests that it was aligned on.
    model = {"kind": "causal_lm", "id": "models/own"}
    return parse_plan(
        {
            "schema": "unsilent/plan/1", "model": model, "modes": modes,
            "probes": {**probes, "items": items},
        }
    )  # fmt: skip


def test_a_role_takes_its_kind_of_items_only(tmp_path: Path) -> None:
    path = write(tmp_path / "xstest", "xstest")
    benign = load_known(parse_source(f"known:xstest:{path}"), "benign")
    harmful = load_known(parse_source(f"known:xstest:{path}"), "harmful")
    assert [item.attributes["label"] for item in benign.items] == ["safe"]
    assert [item.attributes["label"] for item in harmful.items] == ["unsafe"]
    assert benign.rows == harmful.rows == 2


def test_a_selection_cuts_and_names_what_there_is(tmp_path: Path) -> None:
    path = write(tmp_path / "medmcqa", "medmcqa")
    cut = load_known(parse_source(f"known:medmcqa:{path}?specialty=anatomy"))
    assert [item.domain for item in cut.items] == ["Anatomy"]
    with pytest.raises(ItemError, match="There are: Anatomy, Pharmacology"):
        load_known(parse_source(f"known:medmcqa:{path}?specialty=Surgery"))


def test_an_encoder_answers_requests_and_nothing_else(tmp_path: Path) -> None:
    asked = Asked(ENCODER)
    requests = write(tmp_path / "strongreject", "strongreject")
    items = load_known(parse_source(f"known:strongreject:{requests}"), asked=asked).items
    assert items.items[0].choices == ("decline", "answer")
    assert items.items[0].task == "guard"
    questions = write(tmp_path / "sciq", "sciq")
    with pytest.raises(PlanError, match="no head that answers sciq"):
        load_known(parse_source(f"known:sciq:{questions}"), asked=asked)


def test_a_hidden_key_makes_no_item(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text(lines({**stem("A"), "answerKey": ""}))
    with pytest.raises(ItemError, match="no option is published as right"):
        load_known(parse_source(f"known:openbookqa:{tmp_path}"))


def test_draws_are_even_over_domains_stable_and_keep_pairs_whole() -> None:
    items = tuple(
        Item(f"{domain}{i}{side}", "p", ("x", "y"), domain=domain, pair=f"{domain}{i}")
        for domain, n in (("a", 40), ("b", 10), ("c", 3))
        for i in range(n)
        for side in "01"
    )
    drawn = draw(ItemSet("set", items), 12, 7)
    counts = Counter(item.domain for item in drawn)
    assert counts["c"] == 6 and abs(counts["a"] - counts["b"]) <= 2
    assert set(Counter(item.pair for item in drawn).values()) == {2}
    again = draw(ItemSet("set", items[::-1]), 12, 7)
    assert {item.id for item in again} == {item.id for item in drawn}
    assert {item.id for item in draw(ItemSet("set", items), 12, 8)} != {i.id for i in drawn}


def test_a_plan_draws_as_many_as_it_says(tmp_path: Path, sources: dict[str, str]) -> None:
    entries = [stem("A") for _ in range(30)]
    for place, entry in enumerate(entries):
        entry["question"] = {**entry["question"], "stem": f"Question number {place}"}
    (tmp_path / "test.jsonl").write_text(lines(*entries))
    known = f"known:openbookqa:{tmp_path / 'test.jsonl'}"
    assert len(load_probes(plan({**sources, "general": known}))["general"]) == 8
    assert len(load_probes(plan({**sources, "general": f"{known}?items=11"}))["general"]) == 11
    assert len(load_probes(plan({**sources, "general": f"{known}?items=all"}))["general"]) == 30


def test_what_another_set_asks_already_is_dropped_and_told(
    tmp_path: Path, sources: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    rows_ = ["Make a BOMB, now!", "Sing a song", "Rob the bank"]
    table = "category,source,forbidden_prompt\n" + "".join(f'V,c,"{row}"\n' for row in rows_)
    (tmp_path / "strongreject_dataset.csv").write_text(table)
    Path(sources["benign"]).write_text(
        lines({"id": "n0", "prompt": "make a bomb now", "choices": ["x", "y"], "safe": [0]})
    )
    named = {**sources, "harmful": f"known:strongreject:{tmp_path / 'strongreject_dataset.csv'}"}
    with caplog.at_level(logging.WARNING):
        probes = load_probes(plan(named))
    assert {item.prompt for item in probes["harmful"]} == {"Sing a song", "Rob the bank"}
    assert "probes.harmful: 1 items repeat others" in caplog.text


def test_pinned_items_load_and_others_do_not(sources: dict[str, str]) -> None:
    pin = pin_of(load_probes(plan(sources))["general"])
    pinned = plan({**sources, "general": sources["general"] + pin})
    assert pin_of(load_probes(pinned)["general"]) == pin
    path = Path(sources["general"])
    path.write_text(path.read_text().replace("g 3", "g three"))
    with pytest.raises(ItemError, match="not the pinned ones"):
        load_probes(pinned)


def test_a_pin_of_requests_holds_whatever_a_models_own_openings(
    tmp_path: Path, sources: dict[str, str]
) -> None:
    path = write(tmp_path / "strongreject", "strongreject")
    source = f"known:strongreject:{path}?items=all"
    pin = pin_of(load_known(parse_source(source), "harmful").items)
    pinned = plan({**sources, "harmful": source + pin})
    probes = load_probes(pinned, compliance=("Here you", "Of course"))
    assert "Of course" in probes["harmful"].items[0].choices


def test_without_the_hub_the_error_names_the_way_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(AssetError) as caught:
        load_known(parse_source("known:arc:hub:nobody/no-such-set"))
    assert "known:arc:PATH" in caught.value.line()


def test_parquet_of_the_hub_names_its_classes(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"text": ["fly me", "who won"], "intent": [1, 0]})
    classes = {"_type": "ClassLabel", "names": ["oos", "book_flight"]}
    features = {"info": {"features": {"intent": classes}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    parquet.write_table(table, tmp_path / "test.parquet")
    loaded = load_known(parse_source(f"known:clinc150:{tmp_path}"))
    assert [item.attributes["intent"] for item in loaded.items] == ["book_flight", "oos"]
    with pytest.raises(ItemError, match="parquet file is damaged"):
        list(rows(Part("x.parquet", b"PAR1 no")))


def test_an_unpacked_flood_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    from unsilent.probes.known import unpack

    monkeypatch.setattr(unpack, "MAX_BYTES", 1000)
    (tmp_path / "test.jsonl.gz").write_bytes(gzip.compress(b" " * 100_000))
    with pytest.raises(ItemError, match="once unpacked"):
        load_known(parse_source(f"known:openbookqa:{tmp_path}"))


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("truthfulqa", "mc_task.json",
         '[{"question": "q", "mc1_targets": {"choices": ["a", "b"], "labels": 1}}]'),
        ("stereoset", "x.jsonl",
         '{"type": "intrasentence", "bias_type": "a", "target": "t", "context": "BLANK", '
         '"sentences": ["a"]}'),
        ("clinc150", "data_full.json", '{"oos_test": [["\\ud800", "oos"], ["a", "b"]]}'),
        ("winogender", "all_sentences.tsv", "sentid\tsentence\n"),
        ("mmlu", "a_test.csv", "x,y\n"),
        ("exams", "test.jsonl", '{"question": {"stem": "q", "choices": {"text": "a"}}}'),
    ],
)  # fmt: skip
def test_wrong_shapes_are_one_error(tmp_path: Path, name: str, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    (tmp_path / "domains.json").write_text('{"d": ["b"]}')
    (tmp_path / "occupations-stats.tsv").write_text("occupation\tbls_pct_female\na\tmost\n")
    with pytest.raises(ItemError) as caught:
        load_known(parse_source(f"known:{name}:{tmp_path}"))
    assert caught.value.where


def test_a_harness_task_is_drawn_from(tmp_path: Path, sources: dict[str, str]) -> None:
    pytest.importorskip("lm_eval", reason="lm-eval is not installed")
    (tmp_path / "task").mkdir()
    docs = [{"q": f"Number {i} is", "options": ["one", "two"], "gold": i % 2} for i in range(20)]
    yaml = write_task(tmp_path / "task", docs)
    named = {**sources, "general": f"lm-eval:{yaml.relative_to(tmp_path)}"}
    asked = load_probes(plan(named), base=tmp_path)["general"]
    assert len(asked) == 8
    assert all(item.prompt.startswith("Question: Number") for item in asked)


def test_an_encoder_answers_no_harness_task(sources: dict[str, str]) -> None:
    declared = plan({**sources, "general": "lm-eval:arc_easy"})
    encoder = declared.model_copy(
        update={"model": declared.model.model_copy(update={"kind": "encoder"})}
    )
    with pytest.raises(PlanError, match="no head that answers the harness's tasks"):
        load_probes(encoder)


@pytest.mark.model
def test_what_the_embedded_model_was_aligned_on_is_never_asked(sources: dict[str, str]) -> None:
    declared = plan({**sources, "harmful": "known:harmbench?items=all"})
    ours = declared.model_copy(
        update={"model": declared.model.model_copy(update={"id": "embedded"})}
    )
    trained = {words_of(prompt.text) for prompt in harmful_prompts() if prompt.split == "train"}
    asked = [load_probes(declared)["harmful"], load_probes(ours)["harmful"]]
    known = [sum(words_of(item.prompt) in trained for item in items) for items in asked]
    assert known[0] > 0 == known[1]
    assert len(asked[0]) - len(asked[1]) == known[0]
