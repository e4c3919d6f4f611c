"""The environment of a Terraform call, and where providers come from."""

from pathlib import Path

import pytest

from rotator.config.schema import EnvConfig
from rotator.terraform.environment import terraform_env
from rotator.terraform.mirror import configuration_text, found_mirror, implied_mirror

PROVIDER = Path("registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def opt(tmp_path: Path) -> Path:
    folder = tmp_path / "opt"
    (folder / "unrelated").mkdir(parents=True)
    return folder


@pytest.fixture
def base(home: Path, tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/bin", "XDG_DATA_DIRS": str(tmp_path / "share")}


def config(**aws: str) -> EnvConfig:
    return EnvConfig.model_validate(
        {
            "aws": {"region": "eu-central-1", **aws},
            "database": {"identifier": "orders"},
            "dns": {"zone": "example.org", "record": "db.example.org"},
            "key": {"alias": "alias/orders"},
        }
    )


def test_terraform_is_told_to_be_quiet_and_alone(base: dict[str, str], tmp_path: Path, opt: Path) -> None:
    env = terraform_env(None, tmp_path / "work", base, opt=opt)
    assert env["TF_IN_AUTOMATION"] == "1"
    assert env["TF_INPUT"] == "0"
    assert env["CHECKPOINT_DISABLE"] == "1"
    assert env["PATH"] == "/bin"
    assert "AWS_REGION" not in env


def test_the_config_points_at_its_aws(base: dict[str, str], tmp_path: Path, opt: Path) -> None:
    base["AWS_REGION"] = "us-east-1"
    chosen = config(endpoint_url="http://127.0.0.1:5000", profile="ops")
    env = terraform_env(chosen, tmp_path / "work", base, opt=opt)
    assert (env["AWS_REGION"], env["AWS_ENDPOINT_URL"], env["AWS_PROFILE"]) == (
        "eu-central-1",
        "http://127.0.0.1:5000",
        "ops",
    )


def test_without_endpoint_and_profile_the_environment_stays(base: dict[str, str], tmp_path: Path, opt: Path) -> None:
    base["AWS_ENDPOINT_URL"] = "http://elsewhere:1"
    env = terraform_env(config(), tmp_path / "work", base, opt=opt)
    assert env["AWS_ENDPOINT_URL"] == "http://elsewhere:1"
    assert "AWS_PROFILE" not in env


def test_what_would_change_our_commands_or_log_secrets_is_dropped(
    base: dict[str, str], tmp_path: Path, opt: Path
) -> None:
    base |= {
        "TF_CLI_ARGS": "-lock=false",
        "TF_CLI_ARGS_plan": "-target=x",
        "TF_LOG": "TRACE",
        "TF_LOG_PROVIDER": "TRACE",
        "TF_AWS_DEFAULT_TAGS_owner": "platform",
        "TF_AWS_IGNORE_TAGS_KEYS": "team",
        "TF_AWS_IGNORE_TAGS_KEY_PREFIXES": "rotator:",
    }
    env = terraform_env(None, tmp_path / "work", base, opt=opt)
    assert not {name for name in env if name.startswith(("TF_CLI_ARGS", "TF_LOG", "TF_AWS_"))}


def test_a_log_into_the_users_own_file_stays(base: dict[str, str], tmp_path: Path, opt: Path) -> None:
    base |= {"TF_LOG": "TRACE", "TF_LOG_PATH": "/tmp/tf.log"}
    assert terraform_env(None, tmp_path / "work", base, opt=opt)["TF_LOG"] == "TRACE"


def test_an_existing_cli_configuration_wins(base: dict[str, str], tmp_path: Path, opt: Path) -> None:
    (opt / "plugins" / PROVIDER).mkdir(parents=True)
    own = tmp_path / "own.tfrc"
    own.write_text("")
    env = terraform_env(None, tmp_path / "work", base | {"TF_CLI_CONFIG_FILE": str(own)}, opt=opt)
    assert env["TF_CLI_CONFIG_FILE"] == str(own)
    assert "TF_PLUGIN_CACHE_DIR" not in env


def test_terraformrc_wins_and_a_variable_that_names_nothing_is_dropped(
    base: dict[str, str], home: Path, tmp_path: Path, opt: Path
) -> None:
    (opt / "plugins" / PROVIDER).mkdir(parents=True)
    (home / ".terraformrc").write_text("")
    env = terraform_env(None, tmp_path / "work", base | {"TF_CLI_CONFIG_FILE": str(tmp_path / "gone")}, opt=opt)
    assert "TF_CLI_CONFIG_FILE" not in env
    assert "TF_PLUGIN_CACHE_DIR" not in env


@pytest.mark.parametrize("folder", [".terraform.d/plugins", ".local/share/terraform/plugins"])
def test_an_implied_mirror_needs_no_configuration(
    base: dict[str, str], home: Path, tmp_path: Path, opt: Path, folder: str
) -> None:
    (opt / "plugins" / PROVIDER).mkdir(parents=True)
    (home / folder / PROVIDER).mkdir(parents=True)
    assert implied_mirror(base) == home / folder
    env = terraform_env(None, tmp_path / "work", base, opt=opt)
    assert "TF_CLI_CONFIG_FILE" not in env
    assert "TF_PLUGIN_CACHE_DIR" not in env


def test_a_mirror_under_opt_gets_a_configuration_of_ours(base: dict[str, str], tmp_path: Path, opt: Path) -> None:
    (opt / "plugins" / PROVIDER).mkdir(parents=True)
    env = terraform_env(None, tmp_path / "work", base | {"TF_CLI_CONFIG_FILE": "/gone"}, opt=opt)
    file = Path(env["TF_CLI_CONFIG_FILE"])
    assert file == tmp_path / "work" / "terraform.rc"
    assert str(opt / "plugins") in file.read_text()
    assert "TF_PLUGIN_CACHE_DIR" not in env


def test_the_same_configuration_is_not_written_twice(base: dict[str, str], tmp_path: Path, opt: Path) -> None:
    (opt / "plugins" / PROVIDER).mkdir(parents=True)
    file = Path(terraform_env(None, tmp_path / "work", base, opt=opt)["TF_CLI_CONFIG_FILE"])
    first = file.stat().st_ino
    terraform_env(None, tmp_path / "work", base, opt=opt)
    assert file.stat().st_ino == first
    assert [path.name for path in file.parent.iterdir()] == ["terraform.rc"]


def test_without_a_mirror_the_registry_is_left_alone_with_a_shared_cache(
    base: dict[str, str], tmp_path: Path, opt: Path
) -> None:
    env = terraform_env(None, tmp_path / "work", base, opt=opt)
    assert env["TF_PLUGIN_CACHE_DIR"] == str(tmp_path / "work" / "plugin-cache")
    assert (tmp_path / "work" / "plugin-cache").is_dir()
    assert "TF_CLI_CONFIG_FILE" not in env


def test_a_cache_of_the_users_own_stays(base: dict[str, str], tmp_path: Path, opt: Path) -> None:
    env = terraform_env(None, tmp_path / "work", base | {"TF_PLUGIN_CACHE_DIR": "/mine"}, opt=opt)
    assert env["TF_PLUGIN_CACHE_DIR"] == "/mine"


def test_an_empty_provider_folder_is_no_mirror(opt: Path) -> None:
    (opt / "plugins" / PROVIDER.parent.parent).mkdir(parents=True)
    assert found_mirror(opt) is None


def test_no_opt_at_all(tmp_path: Path) -> None:
    assert found_mirror(tmp_path / "nothing") is None


def test_what_the_mirror_has_is_not_asked_of_the_registry_and_no_template_gets_in(tmp_path: Path) -> None:
    mirror = tmp_path / '${path} "quoted"'
    (mirror / PROVIDER).mkdir(parents=True)
    text = configuration_text(mirror)
    assert 'exclude = ["registry.terraform.io/hashicorp/aws"]' in text
    assert "$${path}" in text
    assert '\\"quoted\\"' in text
