"""Secrets: vendors' tokens, what a text calls a password or a key, credentials, and private keys."""

from __future__ import annotations

import base64
import json

import pytest

from netsuke import private
from netsuke.curate import COUNTRIES
from netsuke.private import keys, passwords

BASE62 = "q8Zr4Tn1Xw7Lk2Vb9Hd5Yc3Mf6Jg0PsW"
HEX = "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BASE62 * 2}\n{BASE62[::-1] * 2}\n-----END RSA PRIVATE KEY-----"


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for start, end, kind in private.find(text, COUNTRIES)]


def masked(text: str) -> str:
    return private.Placeholders(COUNTRIES).mask(text, private.find(text, COUNTRIES), "me")


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JWT = f"{part({'alg': 'HS256'})}.{part({'sub': 'x'})}.{BASE62}"
TOKENS = [
    "AKIA2E0A8F3B1C4D5E6F", f"ghp_{BASE62}abcd", f"github_pat_{BASE62}_{BASE62}", f"glpat-{BASE62[:20]}",
    f"xoxb-123456789012-123456789012-{BASE62[:24]}", f"sk_live_{BASE62[:24]}", f"AIza{BASE62}abc",
    f"npm_{BASE62}abcd",
    f"hf_{BASE62}ab", f"sk-ant-api03-{BASE62}{BASE62}", f"sk-proj-{BASE62}",
    f"SG.{BASE62[:22]}.{BASE62}{BASE62[:11]}",
    f"dop_v1_{HEX}{HEX}", f"shpat_{HEX}", f"pypi-AgEIcHlwaS5vcmc{BASE62 * 3}", f"123456789:A{BASE62}ab",
    f"{HEX}-us14", JWT,
    f"hvs.{BASE62}", f"SK{HEX}", f"sq0csp-{BASE62}{BASE62[:11]}", f"key-{HEX}", f"ya29.{BASE62}",
    f"https://hooks.slack.com/services/T0123ABCD/B0123ABCD/{BASE62[:24]}",
]  # fmt: skip


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_of_vendors_are_found_wherever_they_stand(token: str) -> None:
    for around in ("{}", "Use {} now.", 'x = "{}"', "a: '{}',", "{}\n", f"commit {HEX} {{}}"):
        assert found(around.format(token)) == [("SECRET", token)], around
    assert found(f"z{token}") in ([], found(token)) or token.startswith("https")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('password = "hunter2"', "hunter2"), ("DB_PASSWORD=Xk9#mP2$", "Xk9#mP2$"),
        ("  password: Xk9mP2qq  ", "Xk9mP2qq"),
        ("'passwd': 'Tr0ub4dor&3',", "Tr0ub4dor&3"), ("<password>Xk9#mP2$</password>", "Xk9#mP2$"),
        (f'"api_key": "{HEX}"', HEX),
        (f"API_TOKEN={BASE62}", BASE62), ("The password is Xk9#mP2$.", "Xk9#mP2$"),
        ("Passwort: Xk9#mP2$", "Xk9#mP2$"),
        ("Server=db;Uid=app;Pwd=Xk9mP2qq;", "Xk9mP2qq"),
        (f"AccountKey={BASE62 * 2}{BASE62[:22]}==;", f"{BASE62 * 2}{BASE62[:22]}=="),
        (f"aws_secret_access_key = {BASE62}/a+B1c2", f"{BASE62}/a+B1c2"),
        ('setPassword("Xk9#mP2$")', "Xk9#mP2$"),
        (f"--api-key={BASE62}", BASE62), ("密码：Xk9mP2qq", "Xk9mP2qq"), ("пароль: Xk9mP2qq", "Xk9mP2qq"),
        ("PASSWORD => 'a1b2c3d4'", "a1b2c3d4"),
        ("postgres://app:Xk9mP2@db.nord.org:5432/x", "Xk9mP2"),
        ("https://:tokenvalue1@git.nord.de/x", "tokenvalue1"),
        (f"Authorization: Bearer {BASE62}", BASE62),
        ("Authorization: Basic YW5uOlhrOW1QMnFx", "YW5uOlhrOW1QMnFx"),
        ("passwd='Ünïcode9!'", "Ünïcode9!"), ("İ password = 'hunter2x'", "hunter2x"),
        (f"client_secret: {BASE62}", BASE62),
        ("PW: Sommer24!", "Sommer24!"), ("wlan_pw = Sommer24!", "Sommer24!"), ("mdp : Sommer24!", "Sommer24!"),
    ],
)  # fmt: skip
def test_what_is_called_a_secret_is_found(text: str, secret: str) -> None:
    assert found(text) == [("SECRET", secret)]


@pytest.mark.parametrize(
    "text",
    [
        "**{}:** {}", "**{}**: {}", "__{}__: {}", "- **{}:** `{}`", "*{}*: **{}**", "{} | {}", "| {} | {} |",
        "| **{}** | `{}` |", "User | ann\n{}: | {}", "{}\t{}", "{}\t\t{}", "{}:\n{}\n",
        "**{}:**\r\n  `{}`\r\nThen log in.",
    ],
)  # fmt: skip
def test_what_is_called_a_secret_in_markdown_and_beside_its_name_is_found(text: str) -> None:
    for name, secret in (("Passwort", "Sommer24!"), ("Login password", "829374"), ("API key", HEX)):
        assert found(text.format(name, secret)) == [("SECRET", secret)], name


@pytest.mark.parametrize("digits", ["83746293847563829384", "8374629384", "12081985", "829374"])
def test_digits_alone_are_a_password_behind_a_word_for_one(digits: str) -> None:
    for before in ("WLAN-Passwort: ", "WiFi password: ", "passcode=", "The password is ", "Mot de passe : ", "pw: "):
        assert found(f"{before}{digits}\n") == [("SECRET", digits)], before
    assert found(f"user,password\nann,{digits}\n") == found(f"note;password\nx;{digits}\n") == [("SECRET", digits)]


@pytest.mark.parametrize(
    "text",
    [
        "name,url,username,password\nBank,https://bank.com/login,ann,{}\nShop,https://shop.com,ann,hunter2\n",
        '"url","username","password","httpRealm"\r\n"https://bank.com","ann","{}",""\r\n"x","y","hunter2",""\r\n',
        "| site | password |\n|---|---|\n| Bank | {} |\n| Shop | `x` |\n| Club | hunter2 |",
        "Site\tLogin Password\tNote\nBank\t{}\tone, two\nShop\thunter2\t",
        'Our logins, as promised:\nBank;Passwort;Hinweis\n"A; B";{};alt\nC;hunter2;neu\n',
    ],
)  # fmt: skip
def test_a_column_of_passwords_is_masked(text: str) -> None:
    assert found(text.format("S0mmer!2024x")) == [("SECRET", "S0mmer!2024x"), ("SECRET", "hunter2")]


@pytest.mark.parametrize(
    "text",
    [
        "name,url,username,password\nBank,https://bank.com,ann,{}\nShop,https://shop.com,ann,{}\nClub,c.com,bo,{}\n",
        '"url","login","passphrase"\r\n"x","ann","{}"\r\n"y","ann","{}"\r\n"z","bo","{}"\r\n',
        "| Website | Passwort |\n|:--|:-:|\n| a | {} |\n| b | {} |\n| c | *** |\n| d | {} |\n| e | n/a |",
        "login_uri;login_password\na;{}\nb;hidden\nc;{}\nd;<your password>\ne;{}\nf;\n",
        'note,user,password\n"its\npump",ann,{}\n"say ""hi"",\nand\ngo",ann,"{}"\nold 15" screen,ann,{}\n',
        'user,password,note\nann,{},"two\r\n\r\nlines"\r\nbo,{},"no end\r\ncy,{},x\r\n',
    ],
)
def test_every_cell_of_a_table_of_logins_is_masked(text: str) -> None:
    secrets = ["sunshine", "BlueElephantRiver", "correct horse battery 9"]
    assert found(text.format(*secrets)) == [("SECRET", secret) for secret in secrets]


def test_a_column_of_keys_is_masked() -> None:
    assert found(f"app,api_key,token id\nweb,{BASE62},{BASE62[::-1]}\n") == [("SECRET", BASE62)]


@pytest.mark.parametrize(
    "text",
    [
        "name,password\nBank,changeme\nShop,\nClub,secret\n",
        "name,password hint\nBank,Rex2019!\n",
        "connect(user, password, host)\nexecute(sql, param1_x, foo)\n",
        "Enter the user, the password, and the host,\nthen the file, a1b2c3d4, and the rest\n",
        "name,password\nBank,sunshine\n", "user,password hint\nann,mother of pearl\n",
        "The user is ann and the password is sunshine.\n",
        "Ask for the user, password\nor else, the wise friend\nuser, password\nor else, the wise friend\n",
        "name,password\n\nversion,a1b2c3d4\n", "user,password,host\nversion,a1b2c3d4\n",
    ],
)  # fmt: skip
def test_columns_without_passwords_are_left(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        'password = "password", pwd="secret", token: "changeme"',
        'api_key="your-api-key-here", secret = "xxxxxxxx"',
        "password = getpass.getpass('Password: ')", "token = get_token(user_id=42)",
        "secret = os.environ['SECRET1']",
        "password = request.form['pw2']", "API_KEY=${API_KEY}", "password: {{ vault_password1 }}", "pwd=$PWD",
        "token=<token1>",
        "password=%(db_password1)s", "https://user:password@x.nord.org",
        "postgres://postgres:postgres@localhost/x",
        "PASS: gdb.base/test1.exp: print foo1", "Passed: java/net/B6737819.java", "passing: x86-64",
        "bypass('noproxy.com:5678')",
        "password_hasher = 'pbkdf2_sha256'", "token_type = 'x86_64_v2_unknown_name'", f"commit {HEX}a1b2c3d4",
        f"md5: {HEX}",
        f'integrity="sha512-{BASE62 * 2}=="', "primary_key = 'customer_id_1234567890'",
        "keyboard: qwertz123456789012",
        '<img src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4">',
        "password must be at least 8 characters", "token = tokens[index1]", "passwd: files systemd1",
        "eyJhbGciOi.eyJz",
        "User | Password | Role\nann | ? | admin", "Password | Reset", "password ||\n  default1",
        "cat password | b64x1", "x = password |\n  b64x1",
        "password:\n  type1:\n    x: 1\n", "password:\n  $ref: 'a1b2'\n",
        "def f() -> _PasswordHelper:\n    @wraps(call1)\n",
        "password: 123456, passcode: 654321, pwd: 111111", "PASSWORD_ITERATIONS = 600000", "passwords: 829374 found",
        "password_max_age: 7776000", "pass: 152342", "token: 829374", "api key: 829374938",
        "spw: Sommer24!", "pw = width2",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "the PRIVATE KEY BLOCK",
        f"-----BEGIN CERTIFICATE-----\n{BASE62}\n-----END CERTIFICATE-----",
    ],
)  # fmt: skip
def test_stand_ins_code_hashes_and_pictures_are_no_secrets(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "key",
    [
        PEM, PEM.replace("RSA ", ""), PEM.replace("RSA", "OPENSSH"), PEM.replace("\n", "\\n"),
        PEM.replace("\n", "\r\n"),
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{BASE62}\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----",
        f"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{BASE62}\n-----END EC PRIVATE KEY-----",
        "\n".join(f"    {line}" for line in PEM.split("\n")).strip(),
    ],
)  # fmt: skip
def test_a_private_key_is_masked_whole_and_its_lines_stay(key: str) -> None:
    assert masked(f"a\n{key}\nb") == "a\n[SECRET_1]" + "\n" * key.count("\n") + "\nb"


def test_a_key_that_is_cut_off_is_masked_as_far_as_it_goes() -> None:
    assert masked(PEM.partition("-----END")[0] + "\nThe end.") == "[SECRET_1]\n\n\n\nThe end."
    putty = f"PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 2\n{BASE62}\n{BASE62}\nPrivate-MAC: 12"
    assert masked(putty).endswith("Private-Lines: 2\n[SECRET_1]\n\nPrivate-MAC: 12")


def test_the_settings_of_detect_secrets_stay_as_they_are() -> None:
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import get_settings, transient_settings

    with transient_settings({"plugins_used": [{"name": "AWSKeyDetector"}]}):
        before = (get_settings().plugins, get_settings().filters, get_settings())
        assert found(TOKENS[1]) and found('password = "hunter2"')
        assert (get_settings().plugins, get_settings().filters, get_settings()) == before
        assert [secret.type for secret in scan_line("AKIA2E0A8F3B1C4D5E6F")] == ["AWS Access Key"]


def test_the_parts_say_what_they_are() -> None:
    assert passwords.is_stand_in("changeme") and not passwords.is_stand_in("Xk9#mP2$")
    assert passwords.is_key(BASE62) and not passwords.is_key("a_name_of_20_letters")
    assert list(keys.secrets("token")) == [] == list(keys.blocks("BEGIN PRIVATE KEY"))
