"""What looks like a secret and what does not: the names of variables that people really set."""

import pytest

from ccs.blocks.sensitivity import is_sensitive

OPAQUE = "x7Qp-plain-text"

SECRETS = {
    **dict.fromkeys(
        (
            "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "AWS_BEARER_TOKEN_BEDROCK",
            "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET",
            "OPENAI_API_KEY", "GITHUB_TOKEN", "GH_TOKEN", "GITHUB_PAT", "NPM_TOKEN", "NODE_AUTH_TOKEN",
            "DB_PASSWORD", "PGPASSWORD", "MYSQL_PWD", "MYSQL_ROOT_PASSWORD", "SSHPASS", "REDISCLI_AUTH",
            "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "NEXTAUTH_SECRET", "DJANGO_SECRET_KEY", "SECRET_KEY_BASE",
            "RAILS_MASTER_KEY", "GPG_PASSPHRASE", "SESSION_COOKIE", "STRIPE_WEBHOOK_SECRET", "TWILIO_AUTH_TOKEN",
            "VAULT_TOKEN", "VAULT_SECRET_ID", "SMTP_PASS", "DOCKER_AUTH", "SSH_PRIVATE", "APIKEY",
            "AZURE_PRIMARY_KEY", "accessToken", "private_key", "dbPassword",
        ),
        OPAQUE,
    ),
    "DATABASE_URL": "postgres://u:pw@h/db",
    "REDIS_URL": "redis://:pw@h:6379/0",
    "HTTPS_PROXY": "http://me:pw@proxy:3128",
    "JDBC_URL": "jdbc:postgresql://h/db?user=u&password=pw",
    "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc",
    "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer abcdef0123",
    "DEPLOY": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb",
    "REVIEWER": "ghp_abcdef0123456789",
    "SIM_PIN": "004217",
    "DB_PASS": "12345678",
    "ADMIN_PASSWORD": "true",
    "API_KEY": "4929123412341234",
}  # fmt: skip

SETTINGS = {
    **dict.fromkeys(
        (
            "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "AUTHOR", "AUTHORITY", "ANTHROPIC_MODEL",
            "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_AUTH_MODE", "AWS_REGION", "AWS_PROFILE", "CLOUD_ML_REGION",
            "ANTHROPIC_VERTEX_PROJECT_ID", "TOKENIZER", "KEYBOARD_LAYOUT", "HOTKEY", "MONKEY", "COMPASS",
            "GOPRIVATE", "PWD", "OLDPWD", "PASSENGER_APP_ENV", "BYPASS_PROXY", "DB_USER", "OAUTH_SCOPES",
            "AUTH_PROVIDER", "AUTH_TYPE", "TOKEN_ISSUER", "JWT_SECRET_ALGORITHM", "COOKIE_DOMAIN",
            "COOKIE_SAMESITE", "STRIPE_PUBLISHABLE_KEY", "CACHE_KEY", "SSH_PUBLIC_KEY", "PATTERN", "PINNED",
            "SECRET_NAME", "XDG_SESSION_DESKTOP",
        ),
        OPAQUE,
    ),
    "MAX_THINKING_TOKENS": "10000",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "32000",
    "MAX_MCP_OUTPUT_TOKENS": "25000",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH": "true",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "3600000",
    "TOKENIZERS_PARALLELISM": "false",
    "REQUIRE_AUTH": "off",
    "AUTH": "none",
    "SSH_AUTH_SOCK": "/tmp/ssh-agent.sock",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "GOOGLE_APPLICATION_CREDENTIALS": "/etc/keys/google.json",
    "GIT_ASKPASS": "/usr/lib/git-core/git-gui--askpass",
    "PGPASSFILE": "/home/me/.pgpass",
    "PASSWORD_STORE_DIR": "~/.password-store",
    "PASSWORD_MIN_LENGTH": "12",
    "DATABASE_URL": "postgres://h/db",
    "ANTHROPIC_BASE_URL": "https://llm.example.com:8443/v1",
    "API_KEY": "",
    "OTEL_RESOURCE_ATTRIBUTES": "service.name=ci,max_tokens=5",
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), SECRETS.items())
def test_a_secret_is_told_by_its_name_or_its_value(name: str, value: str) -> None:
    assert is_sensitive(name, value)


@pytest.mark.parametrize(("name", "value"), SETTINGS.items())
def test_a_setting_is_no_secret(name: str, value: str) -> None:
    assert not is_sensitive(name, value)
