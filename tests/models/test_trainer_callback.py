"""A client's own effects while a Trainer trains: right, its own alone, and training as it was."""

from __future__ import annotations

import json
import logging
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unsilent.errors import InputError, ModelError
from unsilent.items import ItemSet
from unsilent.trainer import LocalEffects

EXAMPLE = Path(__file__).parents[2] / "examples" / "trainer" / "own_effects.py"
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE))


@pytest.fixture(scope="module")
def trained(
    example: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, LocalEffects]:
    effects = LocalEffects({"bias": example["probes"]()})
    return example["train"](str(tmp_path_factory.mktemp("with")), [effects]), effects


@torch.no_grad()
def leads(example: dict[str, Any], model: Any) -> float:
    """The mean lead of the stereotyped choice, by one forward pass a choice of the model itself."""
    model.eval()
    words, found = example["tokenizer"](), list[float]()
    for item in example["probes"]():
        sums = []
        for choice in item.choices:
            start = len(words(item.prompt)["input_ids"])
            tokens = words(item.prompt + choice)["input_ids"]
            logs = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
            sums.append(sum(float(logs[at - 1, tokens[at]]) for at in range(start, len(tokens))))
        likely = np.exp(np.array(sums) - max(sums))
        likely /= likely.sum()
        found.append(2 * likely[item.stereotyped] - 1)
    return float(np.mean(found))


def test_the_effect_is_that_of_the_model_itself(
    example: dict[str, Any], trained: tuple[Any, LocalEffects]
) -> None:
    trainer, effects = trained
    first, last = effects.measured
    assert (first.step, last.step) == (24, 48)
    assert effects.codes == ("SF-1",)
    after = leads(example, trainer.model)
    with trainer.model.disable_adapter():
        before = leads(example, trainer.model)
    assert last.statistics["SF-1"].value == pytest.approx(after - before, abs=1e-4)
    assert after - before > 0.5
    assert first.statistics["SF-1"].value != last.statistics["SF-1"].value
    assert [row["step"] for row in effects.rows()] == [24, 48]


def test_training_is_bit_for_bit_what_it_is_without(
    example: dict[str, Any], trained: tuple[Any, LocalEffects], tmp_path: Path
) -> None:
    alone = example["train"](str(tmp_path), [])
    found, wanted = trained[0].model.state_dict(), alone.model.state_dict()
    assert list(found) == list(wanted)
    assert all(torch.equal(tensor, found[name]) for name, tensor in wanted.items())
    assert alone.model.training == trained[0].model.training


def test_nothing_of_it_is_in_what_a_trainer_logs(trained: tuple[Any, LocalEffects]) -> None:
    trainer, effects = trained
    logged = json.dumps(trainer.state.log_history)
    assert "SF-" not in logged
    assert "bias" not in logged
    assert str(effects.measured[-1].statistics["SF-1"].value) not in logged


def test_what_fails_later_is_kept_and_training_goes_on(
    example: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Merging(LocalEffects):
        def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            given["model"].merge_adapter()
            super().on_evaluate(args, state, control, **given)
            given["model"].unmerge_adapter()

    effects = Merging({"bias": example["probes"]()})
    with caplog.at_level(logging.WARNING, logger="unsilent"):
        trainer = example["train"](str(tmp_path), [effects])
    assert trainer.state.global_step == 48
    assert "merged into the base" in effects.missed[24]
    # The last step was missed at its evaluation, and measured at the end of training.
    assert [each.step for each in effects.measured] == [48]
    assert "step 24 was not measured" in caplog.text


def test_an_error_of_the_models_own_ends_no_training(
    example: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(LocalEffects):
        def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            def fails(*_: object) -> None:
                raise ValueError("of a private record")

            hook = given["model"].get_base_model().lm_head.register_forward_pre_hook(fails)
            super().on_evaluate(args, state, control, **given)
            hook.remove()

    effects = Failing({"bias": example["probes"]()})
    with caplog.at_level(logging.WARNING, logger="unsilent"):
        trainer = example["train"](str(tmp_path), [effects])
    assert trainer.state.global_step == 48
    assert effects.missed[24] == "ValueError: of a private record"
    assert "step 24 was not measured: ValueError" in caplog.text
    assert "private record" not in caplog.text


def test_a_model_whose_modules_changed_is_tried_again(
    example: dict[str, Any], tmp_path: Path
) -> None:
    """A layer that leaves its adapter out from then on is no model of these arrays."""

    class Changing(LocalEffects):
        def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            layer = given["model"].get_base_model().model.layers[0].self_attn.q_proj
            layer.forward = layer.base_layer.forward
            super().on_evaluate(args, state, control, **given)
            del layer.forward

    effects = Changing({"bias": example["probes"]()})
    example["train"](str(tmp_path), [effects])
    assert "arrays change nothing in the model" in effects.missed[24]
    assert [each.step for each in effects.measured] == [48]


def test_what_cannot_be_measured_is_said_before_the_first_step(example: dict[str, Any]) -> None:
    probes = example["probes"]()
    with pytest.raises(InputError, match="can show no mode"):
        LocalEffects({"general": ItemSet("general", probes.items)})
    effects = LocalEffects({"bias": probes})
    state = type("State", (), {"is_world_process_zero": True})()
    model = example["tiny_model"]()
    with pytest.raises(ModelError, match="no tokenizer"):
        effects.on_train_begin(None, state, None, model=model, processing_class=None)
    words = example["tokenizer"]()
    with pytest.raises(ModelError, match="did not return a peft model"):
        effects.on_train_begin(
            None, state, None, model=model.get_base_model(), processing_class=words
        )
    spread = type("Arguments", (), {"fsdp": "full_shard"})()
    with pytest.raises(ModelError, match="spread over processes"):
        effects.on_train_begin(spread, state, None, model=model, processing_class=words)


def test_importing_the_short_path_loads_no_transformers() -> None:
    code = (
        "import sys, unsilent.trainer; print('transformers' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
