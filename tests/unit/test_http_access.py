"""Digest, throttle and secrets: told the time, no socket."""

import hashlib
import re
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowmon.errors import FlowmonError
from sensors import http_digest, http_secrets
from sensors.http_access import Access, Asked
from sensors.http_answers import Refusal, accepted
from sensors.http_digest import REALM, Digest
from sensors.http_secrets import Secret, Secrets
from sensors.http_throttle import FAILURES_MAX, FORGIVEN_EVERY_S, GUESSERS_MAX, Throttle
from sensors.routes import Origin, Posted

NOW = 1_000.0
USER, PASSWORD = "camera", "staple"


def proof(challenge: str, *, method: str = "POST", url: str = "http://x/door?a=b", password: str = PASSWORD) -> str:
    """What httpx, as the oracle, answers to a challenge."""
    flow = httpx.DigestAuth(USER, password).auth_flow(httpx.Request(method, url))
    first = next(flow)
    answered = flow.send(httpx.Response(401, headers={"www-authenticate": challenge}, request=first))
    return str(answered.headers["Authorization"]).removeprefix("Digest ")


def judge(digest: Digest, told: str, *, method: str = "POST", target: str = "/door?a=b", now: float = NOW) -> str:
    return digest.judge(told, method, target, USER, PASSWORD, now)


def again(told: str, count: int) -> str:
    """The same login used for its next request: a new `nc`, and the response that belongs to it."""
    pairs = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', told)}
    inner = hashlib.sha256(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
    outer = hashlib.sha256(f"POST:{pairs['uri']}".encode()).hexdigest()
    middle = f"{pairs['nonce']}:{count:08x}:{pairs['cnonce']}:auth"
    pairs |= {"nc": f"{count:08x}", "response": hashlib.sha256(f"{inner}:{middle}:{outer}".encode()).hexdigest()}
    return ", ".join(
        f'{name}="{value}"' if name not in {"nc", "qop"} else f"{name}={value}" for name, value in pairs.items()
    )


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_what_a_known_client_answers_is_right(algorithm: str) -> None:
    digest = Digest()
    [challenge] = digest.challenges(NOW, [algorithm])
    told = proof(challenge)
    assert judge(digest, told, now=NOW + 299) == "right"
    assert judge(digest, proof(challenge, password="stable")) == "wrong"
    assert judge(digest, told, method="PUT") == "wrong"
    assert judge(digest, told, target="/other?a=b") == "wrong"
    assert judge(digest, told, target="/door") == "wrong"
    assert judge(digest, told.replace("flowmon", "other")) == "wrong"


def test_the_examples_of_rfc_7616() -> None:
    """§3.9.1: the hashes, with the realm, nonce and user of the RFC; only the realm and the nonce are not ours."""
    common = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v:00000001:f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ:auth"
    for hashing, expected in [
        (http_digest._HASHES["MD5"], "8ca523f5e9506fed4657c9700eebdbec"),
        (http_digest._HASHES["SHA-256"], "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ]:
        inner = hashing("Mufasa:http-auth@example.org:Circle of Life")
        outer = hashing("GET:/dir/index.html")
        assert hashing(f"{inner}:{common}:{outer}") == expected


def test_a_nonce_grows_old_and_is_not_forged() -> None:
    digest = Digest()
    [challenge] = digest.challenges(NOW, ["SHA-256"])
    assert judge(digest, proof(challenge), now=NOW + 301) == "stale"
    assert judge(digest, proof(challenge), now=NOW - 1) == "stale"
    assert judge(Digest(), proof(challenge)) == "stale"  # another life of the server
    assert judge(digest, proof(challenge.replace('nonce="', 'nonce="AAAA'))) == "stale"
    assert judge(digest, proof('Digest realm="flowmon", qop="auth", algorithm=MD5, nonce="no base64"')) == "stale"


def test_each_counter_is_used_once_in_any_order() -> None:
    digest = Digest()
    [challenge] = digest.challenges(NOW, ["SHA-256"])
    told = proof(challenge)
    for count, expected in [(1, "right"), (1, "stale"), (5, "right"), (3, "right"), (3, "stale"), (5, "stale"),
                            (0, "stale"), (200, "right"), (199, "right"), (130, "stale"), (4, "stale")]:  # fmt: skip
        assert judge(digest, again(told, count)) == expected, count


def test_a_device_of_rfc_2069_knows_no_counter_and_uses_a_nonce_once() -> None:
    digest = Digest()
    [challenge] = digest.challenges(NOW, ["MD5"])
    old = proof(re.sub(r'qop="auth", ', "", challenge))
    assert "qop" not in old
    assert [judge(digest, old), judge(digest, old)] == ["right", "stale"]


def test_the_memory_of_used_nonces_is_bounded_and_forgets_safely() -> None:
    digest = Digest()
    first = proof(digest.challenges(NOW, ["MD5"])[0])
    assert judge(digest, first) == "right"
    for n in range(http_digest.NONCES_MAX + 5):
        later = NOW + 0.01 * (n + 1)
        assert judge(digest, proof(digest.challenges(later, ["MD5"])[0]), now=later) == "right"
    assert len(digest._used) <= http_digest.NONCES_MAX
    assert judge(digest, first, now=later) == "stale"  # forgotten, and not taken for new


@given(st.binary(max_size=300), st.sampled_from(["", 'realm="flowmon", uri="/door?a=b", username="camera", response=']))
def test_any_bytes_are_no_proof(data: bytes, begun: str) -> None:
    text = begun + data.decode(errors="surrogateescape")
    assert judge(Digest(), text) == "wrong"
    for post, scheme in [(POSTS[0], "Basic"), (POSTS[1], "Bearer")]:
        with pytest.raises(Refusal) as told:
            ACCESS.check(Asked("POST", "/family/one", "family/one", f"{scheme} {text}", str(data)), post, NOW)
        assert told.value.status == 401


def test_guesses_are_slowed_down_and_forgiven() -> None:
    throttle = Throttle()
    told = [throttle.failed("peer", "door", NOW) for _ in range(FAILURES_MAX)]
    assert told == [False] * (FAILURES_MAX - 1) + [True]
    assert 1 <= throttle.waits("peer", "door", NOW) <= FORGIVEN_EVERY_S + 1
    assert throttle.waits("peer", "other", NOW) == throttle.waits("other", "door", NOW) == 0
    assert throttle.waits("peer", "door", NOW + FORGIVEN_EVERY_S) == 0
    assert throttle.failed("peer", "door", NOW + FORGIVEN_EVERY_S)
    assert throttle.waits("peer", "door", NOW + FORGIVEN_EVERY_S) > 0
    tries = sum(
        not throttle.waits("q", "door", n / 10) and (throttle.failed("q", "door", n / 10) or True)
        for n in range(36_000)
    )
    assert tries <= FAILURES_MAX + 3_600 / FORGIVEN_EVERY_S + 1  # an hour of guessing without a pause
    for n in range(2 * GUESSERS_MAX):
        throttle.failed(f"peer-{n}", "door", NOW)
    assert len(throttle._failures) == GUESSERS_MAX


POSTS = [
    Posted("door", "basic", Origin("small", "xovis")),
    Posted("family/+", "bearer", Origin("small", "xovis")),
    Posted("open", "none", Origin("small", "xovis")),
]


ACCESS = Access(
    Secrets({"door": Secret("camera", "a long password"), "family/+": Secret(token="a long token")}, POSTS, "file")
)


def write(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "secrets.toml"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


GOOD = '[door]\nuser = "a"\npassword = "geheim"\n["family/+"]\ntoken = "t"\n'


def test_secrets_are_found_by_device_before_family(tmp_path: Path) -> None:
    known = http_secrets.load(write(tmp_path, GOOD + '["/family/one"]\ntoken = "own"\n'), POSTS)
    assert known.of("family/one", POSTS[1]) == ("family/one", Secret(token="own"))
    assert known.of("family/two", POSTS[1]) == ("family/+", Secret(token="t"))
    assert "geheim" not in repr(known.of("door", POSTS[0]))


def test_one_device_of_a_family_may_be_all_that_is_known(tmp_path: Path) -> None:
    known = Secrets({"door": Secret("a", "b"), "family/one": Secret(token="own")}, POSTS, "file")
    access = Access(known)
    asked = Asked("POST", "/family/two", "family/two", "Bearer own", "peer")
    with pytest.raises(Refusal) as told:
        access.check(asked, POSTS[1], NOW)
    assert told.value.status == 401


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"route 'door' of venue small wants basic.*add \[\"door\"\] with user and password"),
        (GOOD.replace('password = "geheim"\n', ""), r'wants basic: give \["door"\] user and password'),
        (GOOD.replace("token", "password"), r'wants bearer: give \["family/\+"\] token'),
        ("door = geheim", "is not TOML"),
        ('[door]\nuser = 7\npassword = "geheim"', "texts user and password"),
        ('[door]\npasswort = "geheim"', "nothing else"),
    ],
)
def test_what_is_wrong_with_a_file_of_secrets(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FlowmonError, match=words) as told:
        http_secrets.load(write(tmp_path, text), POSTS)
    assert "geheim" not in str(told.value)


def test_a_file_that_is_not_there_or_that_all_can_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(FlowmonError, match="correct the path"):
        http_secrets.load(str(tmp_path / "none.toml"), POSTS)
    http_secrets.load(write(tmp_path, GOOD + '[dor]\ntoken = "x"\n', 0o644), POSTS)
    told = [record.getMessage() for record in caplog.records]
    assert ["chmod o-r" in told[0], "'dor' is the path of no route" in told[1]] == [True, True]
    assert http_secrets.load("", POSTS[2:]).of("open", POSTS[2]) is None


@pytest.mark.parametrize(
    "target", ["/open?token=x", "/open?a=1&PassWord=x", "/open?api_key", "/open?X-Amz-Signature=1", "/open?key=1"]
)
def test_secrets_in_an_address(target: str) -> None:
    access = Access(Secrets({}, POSTS[2:], "file"))
    with pytest.raises(Refusal, match="send it as Authorization") as told:
        access.check(Asked("POST", target, "open", "", "peer"), POSTS[2], NOW)
    assert told.value.status == 400
    access.check(
        Asked("POST", "/open?channel=1&room=x&passage=2&keyframe=3&authority=4", "open", "", "peer"), POSTS[2], NOW
    )


def test_bodies_of_answers() -> None:
    assert accepted("irisys") == b""
    assert accepted("anything") == b'{"status": "OK"}'
    assert Refusal(422, "dé\ud800").body == '{"error": "dé?"}'.encode()
