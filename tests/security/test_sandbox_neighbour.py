"""A local user, or a web page in somebody's browser, beside a running sandbox: they know its port and nothing else.

What they would gain: the master password of the database, and commands run as the sandbox's user (`archive_command`).
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from sandbox_env import small_env

from rotator.config.schema import Env
from rotator.sandbox.daemon import commands

pytestmark = pytest.mark.postgres

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Env]:
    made = small_env(tmp_path_factory.mktemp("neighbour"))
    commands.up(made)
    yield made
    commands.down(made)


def port(env: Env) -> int:
    return int((commands.status(env).endpoint_url or "").rpartition(":")[2])


def client(env: Env, service: str, key: str = "mine", secret: str = "mine") -> Any:
    session: Any = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name="eu-central-1")
    return session.client(service, endpoint_url=f"http://127.0.0.1:{port(env)}")


def raw(env: Env, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and body of one plain request, as a script or a page would send it."""
    connection = http.client.HTTPConnection("127.0.0.1", port(env), timeout=10)
    connection.request(method, path, body, dict(headers or {}))
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(errors="replace")
    connection.close()
    return found


def test_a_made_up_access_key_reads_no_password(env: Env) -> None:
    """A local user reads the master password by GetSecretValue with a key that he invents."""
    with pytest.raises(ClientError) as refused:
        client(env, "secretsmanager").get_secret_value(SecretId="shop/db")
    assert refused.value.response["Error"]["Code"] in ("InvalidClientTokenId", "UnrecognizedClientException")


def test_the_access_key_without_its_secret_is_not_enough(env: Env) -> None:
    """The access key id is no secret (it is in request logs and error texts): the signature counts."""
    known = commands.exports(env)["AWS_ACCESS_KEY_ID"]
    with pytest.raises(ClientError) as refused:
        client(env, "rds", known, "guessed").describe_db_instances()
    assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def test_a_made_up_access_key_sets_no_parameters(env: Env) -> None:
    """A local user has the server run a command: archive_command in the parameter group, then a reboot."""
    with pytest.raises(ClientError) as refused:
        client(env, "rds").modify_db_parameter_group(
            DBParameterGroupName="shop-postgres16",
            Parameters=[
                {"ParameterName": "archive_command", "ParameterValue": "id > /tmp/x", "ApplyMethod": "pending-reboot"}
            ],
        )
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/moto-api/reset"),
        ("GET", "/moto-api/data.json"),
        ("GET", "/_sandbox/status"),
        ("POST", "/_sandbox/down"),
    ],
)
def test_pages_without_a_signature_are_refused(env: Env, method: str, path: str) -> None:
    """moto's own pages dump and reset the whole account; the sandbox's own stop it and say where servers are."""
    status, body = raw(env, method, path)
    assert status == 403, body
    assert commands.status(env).running


def test_a_length_that_is_no_number_is_refused(env: Env) -> None:
    status, body = raw(env, "POST", "/", headers={"Content-Length": "\u00b2"})
    assert status in (400, 403), body


def test_a_web_page_is_refused_and_told_nothing(env: Env) -> None:
    """A page's script sends a request that needs no preflight; the browser adds Origin."""
    body = "Action=GetSecretValue&SecretId=shop/db"
    headers = {"Origin": "https://evil.example", "Content-Type": FORM}
    status, _ = raw(env, "POST", "/", body, headers)
    assert status == 403
    connection = http.client.HTTPConnection("127.0.0.1", port(env), timeout=10)
    asked = {**headers, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"}
    connection.request("OPTIONS", "/", headers=asked)
    answer = connection.getresponse()
    answer.read()
    assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control-")]
    connection.close()


def test_a_name_that_was_rebound_to_this_machine_is_refused(env: Env) -> None:
    """DNS rebinding: evil.example resolves to 127.0.0.1, so that the browser sees one origin; Host tells."""
    status, body = raw(env, "GET", "/_sandbox/status", headers={"Host": f"evil.example:{port(env)}"})
    assert (status, "instances" in body) == (403, False)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 200),
        ({"Host": "evil.example:{port}"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_each_lock_of_the_door_holds_by_itself(env: Env, changed: Mapping[str, str], status: int) -> None:
    """Signed with the sandbox's own key, so that the signature refuses nothing. Nothing is opened to pages (CORS)."""
    exports, url = commands.exports(env), f"http://127.0.0.1:{port(env)}/"
    body = "Action=DescribeDBInstances&Version=2014-10-31"
    headers = {"Content-Type": FORM, "Host": f"127.0.0.1:{port(env)}"}
    headers |= {name: value.replace("{port}", str(port(env))) for name, value in changed.items()}
    request = AWSRequest("POST", url, headers, body)
    key = Credentials(exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, "rds", "eu-central-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", port(env), timeout=10)
    connection.request("POST", "/", body, dict(request.headers.items()))
    answer = connection.getresponse()
    assert (answer.status, "DBInstanceIdentifier" in answer.read().decode()) == (status, status == 200)
    assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control-")]
    connection.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("archive_command", "id > /tmp/owned"),
        ("ssl_passphrase_command", "id"),
        ("restore_command", "id"),
        ("shared_preload_libraries", "/tmp/evil"),
        ("session_preload_libraries", "/tmp/evil"),
        ("local_preload_libraries", "evil"),
        ("dynamic_library_path", "/tmp"),
        ("jit_provider", "/tmp/evil"),
        ("archive_library", "/tmp/evil"),
        ("log_directory", "/tmp"),
        ("external_pid_file", "/tmp/owned"),
        ("unix_socket_directories", "/tmp"),
        ("unix_socket_permissions", "0777"),
        ("log_file_mode", "0666"),
        ("rds.x = '1'\narchive_mode = on\narchive_command", "id > /tmp/owned"),
        ("log_min_duration_statement", "1'\narchive_command = 'id"),
    ],
)
def test_not_even_the_owner_sets_what_runs_commands_or_touches_files(env: Env, name: str, value: str) -> None:
    """A script with the sandbox's key (a module under test, say) must not leave the database for the machine."""
    exports = commands.exports(env)
    rds = client(env, "rds", exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"])
    group = rds.describe_db_instances()["DBInstances"][0]["DBParameterGroups"][0]["DBParameterGroupName"]
    parameters = [{"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}]
    with pytest.raises(ClientError) as refused:
        rds.modify_db_parameter_group(DBParameterGroupName=group, Parameters=parameters)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    kept = rds.describe_db_parameters(DBParameterGroupName=group, Source="user")["Parameters"]
    assert value not in [each["ParameterValue"] for each in kept]
