"""An alerts file names its channels; its faults are one line, without a value in it."""

import pytest

from unsilent.alerts.config import read_alerts
from unsilent.alerts.deliver import channels_of
from unsilent.alerts.webhook import Webhook
from unsilent.errors import InputError


@pytest.fixture
def write(tmp_path_factory):
    def written(text):
        # Not named after the test, whose name may hold the text.
        path = tmp_path_factory.mktemp("config") / "alerts.toml"
        path.write_text(text)
        return path

    return written


def test_secrets_come_from_the_environment(write, monkeypatch):
    monkeypatch.setenv("OPS_URL", "https://alerts.example.org/token")
    monkeypatch.setenv("OPS_SECRET", "hunter2")
    path = write(
        '[[webhook]]\nname = "ops"\nurl_env = "OPS_URL"\nsecret_env = "OPS_SECRET"\n'
        'on = ["failure", "missed"]\n'
    )
    (channel,) = channels_of(read_alerts(path))
    assert (channel.name, channel.on) == ("webhook.ops", ("failure", "missed"))
    assert channel.sink == Webhook("https://alerts.example.org/token", b"hunter2")


def test_a_webhook_is_silent_about_healthy_rounds_only(write):
    path = write('[[webhook]]\nname = "ops"\nurl = "https://alerts.example.org"\n')
    (channel,) = channels_of(read_alerts(path))
    assert set(channel.on) == {"failure", "undetermined", "missed", "stopped"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no channel is named"),
        ("webhook = 3", "webhook: "),
        ('[[webhook]]\nname = "ops"', "either url or url_env"),
        ('[[webhook]]\nname = "ops"\nurl = "ftp://hunter2"', "not an http"),
        ('[[webhook]]\nname = "ops"\nurl = "https://hunter2/\u00e4"', "not an http"),
        ('[[webhook]]\nname = "ops"\nurl = "https://hunter2/a b"', "not an http"),
        ('[[webhook]]\nname = "ops"\nurl = "http://[::1"', "not an http"),
        ('[[webhook]]\nname = "ops"\nurl = "http://host:99999"', "not an http"),
        ('[[webhook]]\nname = "ops"\nurl = "https://"', "not an http"),
        ('[[webhook]]\nname = "ops"\nurl = "https://x"\nsecret = "hunter2"', r"webhook\.0\.secret"),
        ('[[webhook]]\nname = "ops"\nurl_env = "NOT_SET"', "NOT_SET is not set"),
        ('[[webhook]]\nname = "ops"\nurl = "https://x"\non = ["hunter2"]', r"webhook\.0\.on"),
        ('[[webhook]]\nname = "a"\nurl = "https://x"\n' * 2, "the same name"),
        ("[prometheus]", r"prometheus\.textfile"),
        ("hunter2", r"not valid TOML \(at "),
    ],
)
def test_faults(write, monkeypatch, text, fault):
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(InputError, match=fault) as refused:
        channels_of(read_alerts(write(text)))
    assert "hunter2" not in refused.value.line()
    assert refused.value.exit_code == 2


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"alerts\.toml: no such file"):
        read_alerts(tmp_path / "alerts.toml")
