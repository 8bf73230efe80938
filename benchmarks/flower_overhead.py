"""What two lines cost an app: a client's monitoring round beside its training round, and bytes.

The flowertune example's model and training on texts of its own, with ``PeftScore``. Training and
measuring of the same client are timed in turns, in one process, without a network: what Flower adds
to each message comes on top of both. Rounds after the first are what a federation pays for long;
the first pays for what is computed once, such as the reference's scores.

    python benchmarks/flower_overhead.py --tokens 20000 --items 300
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import Rows, arguments, measure, median, peak_mb, show, use_threads
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.supercore.task_identity import TaskIdentity
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from unsilent.engines.flower import messages
from unsilent.engines.flower.messages import ADAPTER, ANSWER, ORDER
from unsilent.flower import PeftScore, monitor_client
from unsilent.messages import ADAPTER as AGGREGATED
from unsilent.messages import NAME, OBSERVE, Order
from unsilent.models.embedded import embedded_base
from unsilent.plan import MonitoringPlan, parse_plan

EXAMPLE = Path(__file__).parents[1] / "examples" / "flowertune"
sys.path.insert(0, str(EXAMPLE))

from flowertune.dataset import load_data  # noqa: E402  # pyright: ignore[reportMissingImports]
from flowertune.models import load_model, tune  # noqa: E402  # pyright: ignore[reportMissingImports]

_PILOT = 32
# Pairs of counterfactuals, and requests under two adapters; general questions under two as well.
_SETS = 4


def main() -> None:
    """Time the rounds."""
    parser = arguments(__doc__, model=True)
    parser.add_argument("--tokens", type=int, default=20_000, help="trained by a client in a round")
    parser.add_argument("--items", type=int, default=300, help="asked in a round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    threads = use_threads(given.threads)
    # Outside of a run nobody says who makes a message.
    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1
    place = str(embedded_base()) if given.model == "embedded" else given.model
    declared = plan(given.rounds, -(-given.items // (_SETS + 1)))
    with tempfile.TemporaryDirectory() as name:
        context = context_of(place, given.tokens, Path(name))
        rows = rounds(declared, context, given.rounds)
    later = [row["share"] for row in rows[1:]] or [rows[0]["share"]]
    show(
        "A client's monitoring round beside its training round",
        rows,
        as_json=given.json,
        share=median(later),
        peak_mb=peak_mb(),
        threads=threads,
    )


def plan(number: int, items: int) -> MonitoringPlan:
    """Three modes that need no private records."""
    mode = {"tolerance": 0.1, "clip": 0.3}
    modes = ("amplified_bias", "adaptation_misalignment", "alignment_erosion")
    return parse_plan(
        {
            "name": "overhead",
            "federation": {"clients": 10, "rounds": number},
            "privacy": {"aggregation": "plain"},
            "probes": {"items": items},
            "modes": dict.fromkeys(modes, mode),
        }
    )


def context_of(place: str, tokens: int, folder: Path) -> Context:
    """A client that trains on about so many tokens a round."""
    config: dict[str, Any] = {
        "model.name": place,
        "model.lora-r": 8,
        "model.lora-alpha": 16,
        "model.lora-targets": "q_proj v_proj",
        "train.batch-size": 8,
        "train.epochs": 1,
        "train.learning-rate": 1e-3,
    }
    node: dict[str, Any] = {"partition-id": 0, "num-partitions": 10, "store": str(folder)}
    context = Context(1, 1, node, RecordDict(), config)
    tokenizer = load_model(context)[1]
    each = sum(len(tokenizer(text)["input_ids"]) for text in load_data(0, _PILOT)) / _PILOT
    config["train.headlines"] = round(tokens / each)
    return context


def app() -> ClientApp:
    """The example's training, with the model loaded once."""
    made = ClientApp()
    held: list[Any] = []

    def load(context: Context) -> Any:
        if not held:
            held.append(load_model(context))
        return held[0]

    @made.train()
    def train(message: Message, context: Context) -> Message:
        model, tokenizer = load(context)
        set_peft_model_state_dict(
            model, message.content.array_records["arrays"].to_torch_state_dict()
        )
        texts = load_data(0, int(context.run_config["train.headlines"]))
        loss = tune(model, tokenizer, texts, context.run_config)
        arrays = ArrayRecord(get_peft_model_state_dict(model))
        metrics = MetricRecord({"loss": loss, "num-examples": len(texts)})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    return monitor_client(made, PeftScore(load))


def rounds(declared: MonitoringPlan, context: Context, number: int) -> Rows:
    """Train and measure in turns."""
    client = app()
    context.node_config["plan"] = declared.digest
    arrays = ArrayRecord(get_peft_model_state_dict(load_model(context)[0]))
    first = Order(json.dumps(declared.to_json()), "benchmark", 0)
    said = client(messages.request(1, NAME, first), context)
    rows: Rows = []
    for now in range(1, number + 1):
        content = RecordDict({"arrays": arrays, "config": ConfigRecord({"server-round": now})})
        asked = Message(content, dst_node_id=1, message_type="train")
        trained, train = measure(lambda asked=asked: client(asked, context))
        arrays = trained.content.array_records["arrays"]
        order = replace(first, round=now, arrays={AGGREGATED: arrays})
        question = messages.request(1, OBSERVE, order)
        reply, monitor = measure(lambda question=question: client(question, context))
        answer = reply.content.config_records[ANSWER]
        if messages.FAILED in answer:
            sys.exit(str(answer[messages.FAILED]))
        rows.append(
            {
                "round": now,
                "train_s": train.wall,
                "monitor_s": monitor.wall,
                "share": monitor.wall / train.wall,
                "bytes_up": _bytes(reply) + (_bytes(said) if now == 1 else 0),
                "bytes_down": len(str(question.content.config_records[ORDER]["plan"])),
                "adapter_bytes": sum(
                    len(a.data) for a in question.content.array_records[ADAPTER].values()
                ),
            }
        )
    return rows


def _bytes(message: Message) -> int:
    """Of the values that a client says."""
    values = message.content.config_records[ANSWER].values()
    return sum(len(value) if isinstance(value, bytes) else 8 for value in values)


if __name__ == "__main__":
    main()
