"""Every place that speaks of the promise says the same sentences, and none says more."""

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from unsilent.cli import app
from unsilent.contract import contract
from unsilent.evidence import container, write_pack
from unsilent.evidence.pack import MANIFEST, SIGNATURE
from unsilent.evidence.verify import verify_bytes
from unsilent.findings import write_findings
from unsilent.ledger import Ledger
from unsilent.plan import parse_plan
from unsilent.release import Layout, Release
from unsilent.release.noise import share_variance
from unsilent.release.promise import conditions, scope
from unsilent.release.promise_before import in_earlier_words
from unsilent.serve.reading import RunReader
from unsilent.server.monitor import Monitor

ROOT = Path(__file__).parents[1]
CLIENTS = 24
VARIANTS = {
    "client": {},
    "client, replaced": {"adjacency": "replace-one"},
    "client, plain": {"aggregation": "plain"},
    "record": {"unit": "record"},
    "record, plain": {"unit": "record", "aggregation": "plain"},
    "record, trained by DP-SGD": {"unit": "record", "training": {"epsilon": 3.0}},
    "none": {"unit": "none"},
    "no protection": {"epsilon": 30.0},
}


def plan_of(**privacy):
    return parse_plan(
        {
            "name": "ward",
            "federation": {"clients": CLIENTS, "rounds": 1, "held_out": 50},
            "monitor": {"min_cohort": 20, "items": "these"},
            "probes": {"sampling": "same"},
            "privacy": privacy,
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.5}},
        }
    )


@pytest.fixture(scope="module", params=VARIANTS)
def run(request, tmp_path_factory):
    """A judged run of each variant."""
    folder = tmp_path_factory.mktemp("promise") / "run"
    folder.mkdir()
    plan = plan_of(**VARIANTS[request.param])
    (folder / "plan.json").write_text(json.dumps(plan.to_json()), encoding="utf-8")
    monitor = Monitor(plan, Ledger(folder / "ledger.sqlite"))
    layout = Layout.from_plan(plan)
    total = CLIENTS * layout.encode(dict.fromkeys(layout.inputs, 0.0))
    noise = np.zeros(len(total), dtype=np.int64)
    drawn = np.random.default_rng(1).standard_normal(len(layout.noised))
    noise[layout.noised] = np.rint(drawn * 100)
    monitor.system(1, 0.6, 0.7)
    monitor.spend(1)
    variance = CLIENTS * float(share_variance(plan))
    monitor.judge(1, Release(layout.digest, 1, CLIENTS, total + noise, variance))
    write_findings(folder / "findings.json", monitor.findings())
    return plan, folder


def told(*arguments):
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    return result.output


def plain(text):
    return " ".join(html.unescape(text).replace("\\u00a0", " ").split())


def all_in(sentences, text):
    missing = [sentence for sentence in sentences if sentence not in plain(text)]
    assert not missing, missing


def test_the_contract_says_it_before_anything_is_released(run):
    plan, folder = run
    all_in(scope(plan), contract(plan).text())
    all_in(scope(plan), told("contract", str(plan_file(plan, folder))))
    assert set(scope(plan)) <= set(contract(plan).to_json()["promise"])


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("none", "There is no differential privacy here"),
        ("none", "N - 1 sites of N together see the last one's numbers"),
        ("no protection", "Epsilon 30 is no protection in any usual sense"),
        ("record, trained by DP-SGD", "training and monitoring composed"),
        ("record", "carry no noise: in a sum they are exact"),
    ],
)
def test_each_unit_says_what_it_is_in_a_sentence_of_its_own(variant, words):
    every = {name: " ".join(scope(plan_of(**privacy))) for name, privacy in VARIANTS.items()}
    assert words in every[variant]
    if not variant.startswith("record"):
        assert sum(words in text for text in every.values()) == 1


@pytest.mark.parametrize("epsilon", [20.0, 8.0])
def test_an_epsilon_that_protects_somebody_is_not_called_none(epsilon):
    assert not any("no protection" in sentence for sentence in scope(plan_of(epsilon=epsilon)))


def test_spending_findings_and_dashboard_say_it(run):
    plan, folder = run
    all_in(conditions(plan), told("privacy", "spent", str(folder)))
    data = json.loads(told("privacy", "spent", str(folder), "--json"))
    assert data["conditions"] == list(conditions(plan))
    all_in(conditions(plan), told("findings", str(folder)))
    all_in(conditions(plan), RunReader(folder).state().privacy.statement)


def test_report_and_exports_say_it(run):
    plan, folder = run
    told("report", str(folder))
    page = (folder / "report.html").read_text(encoding="utf-8")
    all_in(conditions(plan), page)
    assert plain(page).count(scope(plan)[0]) == 1
    all_in(conditions(plan), told("export", str(folder), "--format", "model-card"))


def test_the_evidence_says_it(run, tmp_path):
    plan, folder = run
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    files = container.from_bytes(write_pack(folder, tmp_path / "pack.zip", key).read_bytes())
    assert {MANIFEST, SIGNATURE} < set(files)
    all_in(conditions(plan), files["summary.md"].decode())
    all_in(conditions(plan), json.loads(files["privacy.json"])["statement"])


def test_what_was_published_in_earlier_words_is_still_read_and_only_in_those(run, tmp_path):
    plan, folder = run
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    old = tmp_path / "old"
    old.mkdir()
    for name in ("plan.json", "ledger.sqlite"):
        (old / name).write_bytes((folder / name).read_bytes())
    data = json.loads((folder / "findings.json").read_bytes())
    privacy = data["privacy"]
    if privacy["epsilon_spent"] is None:
        # Sums without noise were never told of in other words.
        found = verify_bytes(write_pack(folder, tmp_path / "pack.zip", key).read_bytes())
        assert found.good, found.faults
        return
    words = in_earlier_words(
        plan, privacy["epsilon_spent"], privacy["releases"], privacy["statement"]
    )
    assert words != privacy["statement"]
    wrong = words.replace(f"{privacy['epsilon_spent']:.2f}", "1.00")
    for statement, good in ((words, True), (wrong, False)):
        data["privacy"]["statement"] = statement
        (old / "findings.json").write_text(json.dumps(data), encoding="utf-8")
        found = verify_bytes(write_pack(old, tmp_path / "old.zip", key).read_bytes())
        assert found.good == good, found.faults
    told("report", str(old))
    # An old run's page says today's words beside its own.
    all_in(scope(plan), (old / "report.html").read_text(encoding="utf-8"))


def plan_file(plan, folder):
    """The plan as TOML, for the command line."""
    path = folder.parent / "plan.toml"
    given = plan.to_json()["privacy"]
    keys = ("unit", "adjacency", "aggregation", "epsilon")
    privacy = ", ".join(f"{key} = {json.dumps(given[key])}" for key in keys if key in given)
    if plan.privacy.training:
        privacy += f", training = {{ epsilon = {plan.privacy.training.epsilon} }}"
    path.write_text(
        f'name = "ward"\nprivacy = {{ {privacy} }}\n'
        f"federation = {{ clients = {CLIENTS}, rounds = 1, held_out = 50 }}\n"
        'monitor = { min_cohort = 20, items = "these" }\nprobes = { sampling = "same" }\n'
        "[modes]\namplified_bias = { tolerance = 0.1, clip = 0.5 }\n",
        encoding="utf-8",
    )
    return path


def test_the_readme_says_it_of_a_plan_as_it_comes():
    section = (ROOT / "README.md").read_text(encoding="utf-8")
    section = section.partition("## What is protected, and what is not")[2].partition("\n## ")[0]
    all_in(scope(plan_of()), re.sub(r"\n- ", "\n", section))


CLAIMS = (
    r"whether (one|a|any|the)( given| single)? client (took|takes|has taken) part",
    r"took part in a given one's place",
    r"(participation|membership|taking part)( of a client)? (is|stays|remains) "
    r"(hidden|protected|private)",
    r"(hide|conceal|protect)s? (a |one |the )?(client's |clients' )?(participation|membership)",
    r"(hide|conceal|protect)s? (whether|that) (one|a|any|the) client",
    r"private for each \W*client",
)
"""Words that promise more than is kept."""
ALLOWED = ("release/promise_before.py",)
"""What was promised before, to read it."""
PLACES = ("README.md", "docs", "src", "examples", "benchmarks")
KINDS = {".md", ".py", ".j2", ".toml", ".json", ".html"}


def overdone(text):
    # Strings that are broken over lines of code are read as one.
    joined = " ".join(re.sub(r'"\s*\n\s*f?"', "", text).split())
    return [found.group() for claim in CLAIMS for found in re.finditer(claim, joined, re.I)]


def test_nothing_claims_that_taking_part_is_hidden():
    found = {}
    for place in PLACES:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.suffix not in KINDS or str(file).endswith(ALLOWED) or "traces" in file.parts:
                continue
            claims = overdone(file.read_text(encoding="utf-8"))
            if claims:
                found[str(file.relative_to(ROOT))] = claims
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "can tell whether one given client took part only as well",
        "which of two clients took part in a given one's place",
        "Participation is hidden from the server.",
        "It hides a client's participation.",
        "The noise hides that a client was there.",
        "the sum is differentially private for each *client*",
        '    "can tell whether one "\n    f"given client took part"',
    ],
)
def test_such_claims_are_found(text):
    assert overdone(text)
