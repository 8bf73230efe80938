"""The alerts file: which channels are told, of what. It is no part of the plan.

Secrets are not in it: it names the environment variables that hold them.

    [[webhook]]
    name = "ops"
    url = "https://alerts.example.org/unsilent"    # or url_env = "OPS_URL"
    secret_env = "OPS_SECRET"
    on = ["failure", "undetermined", "missed", "stopped"]

    [prometheus]
    textfile = "/var/lib/node_exporter/unsilent.prom"

    [opentelemetry]
    endpoint = "http://localhost:4318"

    [mlflow]
    tracking_uri = "sqlite:///mlflow.db"
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unsilent.alerts.state import Alert
from unsilent.errors import InputError

Word = Literal[
    "failure",
    "undetermined",
    "healthy",
    "judged",
    "missed",
    "stopped",
    "complaint",
    "trigger",
    "drift",
]
"""``drift``: a judged round in which the records themselves are shown to have changed, see
``[performance]``. ``trigger``: an event that one of the plan's triggers is about, see
``[governance]``."""
_EVERY: tuple[Word, ...] = ("judged", "missed", "stopped")


class Sink(Protocol):
    """What takes an event somewhere."""

    def send(self, event: Alert) -> None:
        """Deliver, or raise AlertError or OSError."""
        ...


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    on: tuple[Word, ...] = _EVERY
    """Tell of an event that one of these words is about."""


class WebhookTable(_Table):
    """A receiver of POST requests."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    url: str | None = None
    url_env: str | None = None
    secret_env: str | None = None
    on: tuple[Word, ...] = ("failure", "undetermined", "missed", "stopped")

    @model_validator(mode="after")
    def _one_address(self) -> WebhookTable:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give either url or url_env")
        return self

    def sink(self) -> Sink:
        """The channel. Raises InputError if a variable is not set or the address is not HTTP."""
        from unsilent.alerts.webhook import Webhook

        where = f"webhook {self.name}"
        url = self.url if self.url_env is None else _variable(self.url_env, where)
        if url is None or not _is_address(url):
            raise InputError(
                "the address is not an http(s) URL",
                where=where,
                remedy="Write it in plain signs, as https://alerts.example.org/unsilent.",
            )
        secret = None if self.secret_env is None else _variable(self.secret_env, where)
        return Webhook(url, None if secret is None else secret.encode())


def _is_address(url: str) -> bool:
    """Whether something can be posted there: else it would show at the first alert alone."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return parts.scheme in ("http", "https") and named and plain


class PrometheusTable(_Table):
    """A text file for the node exporter."""

    textfile: Path

    def sink(self) -> Sink:
        """The channel."""
        from unsilent.alerts.prometheus import TextFile

        return TextFile(self.textfile)


class OpenTelemetryTable(_Table):
    """A collector that takes OTLP over HTTP."""

    endpoint: str = "http://localhost:4318"

    def sink(self) -> Sink:
        """The channel."""
        from unsilent.alerts.opentelemetry import OpenTelemetry

        return OpenTelemetry.to(self.endpoint)


class MLflowTable(_Table):
    """An MLflow tracking server or store."""

    tracking_uri: str = "sqlite:///mlflow.db"
    experiment: str = "unsilent"

    def sink(self) -> Sink:
        """The channel."""
        from unsilent.alerts.mlflow import MLflow

        return MLflow(self.tracking_uri, self.experiment)


class AlertsFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook: tuple[WebhookTable, ...] = ()
    prometheus: PrometheusTable | None = None
    opentelemetry: OpenTelemetryTable | None = None
    mlflow: MLflowTable | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> AlertsFile:
        names = [each.name for each in self.webhook]
        if len(set(names)) != len(names):
            raise ValueError("two webhooks have the same name")
        if not self.tables():
            raise ValueError("no channel is named; add one, such as a [prometheus] table")
        return self

    def tables(
        self,
    ) -> dict[str, WebhookTable | PrometheusTable | OpenTelemetryTable | MLflowTable]:
        """The channels' tables by the name under which the ledger speaks of them."""
        single = {
            "prometheus": self.prometheus,
            "opentelemetry": self.opentelemetry,
            "mlflow": self.mlflow,
        }
        found = {f"webhook.{each.name}": each for each in self.webhook}
        return {**found, **{name: table for name, table in single.items() if table is not None}}


def read_alerts(path: Path) -> AlertsFile:
    """Read an alerts file; raises InputError naming file, key and fault, never a value."""
    try:
        data: Mapping[str, Any] = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), remedy="Name an alerts file.") from None
    except tomllib.TOMLDecodeError as error:
        # Where, and not what is there, which may be a secret.
        spot = re.search(r"\(at [^)]*\)", str(error))
        raise InputError(
            f"not valid TOML {spot[0] if spot else ''}".strip(),
            where=str(path),
            remedy="Correct that line.",
        ) from None
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "not a readable UTF-8 text file", where=str(path), remedy="Name an alerts file."
        ) from None
    try:
        return AlertsFile.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(
            str(first["msg"]).removeprefix("Value error, "),
            where=f"{path}: {key}" if key else str(path),
            remedy="`unsilent alerts check --help` lists the tables and their keys.",
        ) from None


def _variable(name: str, where: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise InputError(
            f"the environment variable {name} is not set",
            where=where,
            remedy=f"Set {name} where the command runs.",
        )
    return value
