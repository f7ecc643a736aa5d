"""Each status of the API server as its own sentence and exit code."""

import json
from typing import Any

import pytest

from companyos_canary import errors
from companyos_canary.cluster.errors import raise_for, verb_of
from companyos_canary.cluster.kinds import Target, known, path_of, path_target
from companyos_canary.model.http import Request, Response

ROLLOUT = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/api"


def status(code: int, message: str = "", headers: dict[str, str] | None = None, **more: Any) -> Response:
    body = {"kind": "Status", "apiVersion": "v1", "code": code, "message": message, **more}
    return Response(code, headers or {}, json.dumps(body).encode())


def raised(response: Response, request: Request | None = None) -> errors.CanaryError:
    with pytest.raises(errors.CanaryError) as failure:
        raise_for(response, request or Request("GET", ROLLOUT))
    return failure.value


@pytest.mark.parametrize("code", [200, 201, 202])
def test_a_success_is_returned(code: int) -> None:
    response = Response(code)
    assert raise_for(response, Request("GET", "/x")) is response


def test_401_says_that_the_credentials_are_not_accepted() -> None:
    error = raised(status(401, "Unauthorized", reason="Unauthorized"))
    assert isinstance(error, errors.Unauthenticated)
    assert error.message == "the API server does not accept the credentials"
    assert "expired" in raised(status(401, "token expired")).message


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (Request("GET", ROLLOUT), "not permitted to `get` `rollouts.argoproj.io` in namespace `shop`"),
        (
            Request("GET", "/api/v1/namespaces/shop/pods", (("watch", "true"),)),
            "not permitted to `watch` `pods` in namespace `shop`",
        ),
        (
            Request("PATCH", ROLLOUT + "/status"),
            "not permitted to `patch` `rollouts.argoproj.io/status` in namespace `shop`",
        ),
        (Request("GET", "/api/v1/nodes"), "not permitted to `list` `nodes`"),
        (Request("GET", "/metrics"), "not permitted to `list` `/metrics`"),
    ],
)
def test_403_says_which_verb_on_which_resource(request_: Request, sentence: str) -> None:
    message = 'User "jane" cannot get resource "rollouts" in API group "argoproj.io"'
    error = raised(status(403, message), request_)
    assert isinstance(error, errors.Forbidden)
    assert error.message == sentence
    assert 'User "jane"' in error.hint


def test_403_without_a_reason_is_an_apply_of_what_may_not_be_created() -> None:
    error = raised(status(403, 'rollouts.argoproj.io "api" is forbidden: '), Request("PATCH", ROLLOUT))
    assert isinstance(error, errors.Forbidden)
    assert error.message == "not permitted to `create` `rollouts.argoproj.io` in namespace `shop`"
    assert error.hint == "ask for a role that allows it"


def test_403_of_an_admission_webhook_is_told_in_its_own_words() -> None:
    error = raised(status(403, 'admission webhook "policy" denied the request: no latest.'))
    assert error.message == (
        'the cluster refused to `get` `rollouts.argoproj.io`: admission webhook "policy" denied the request: no latest'
    )


def test_404_of_an_object_names_it() -> None:
    details = {"name": "api", "group": "argoproj.io", "kind": "rollouts"}
    error = raised(status(404, 'rollouts.argoproj.io "api" not found', details=details))
    assert type(error) is errors.NotFound
    assert error.message == "Rollout `api` not found in namespace `shop`"


def test_404_of_the_namespace_names_the_namespace() -> None:
    details = {"name": "shop", "kind": "namespaces"}
    error = raised(status(404, 'namespaces "shop" not found', details=details))
    assert type(error) is errors.NotFound
    assert error.message == "namespace `shop` does not exist"


@pytest.mark.parametrize(
    "response",
    [
        Response(404, {}, b"404 page not found\n"),
        status(404, "the server could not find the requested resource", details={}),
    ],
)
def test_404_of_the_whole_resource_says_that_argo_rollouts_is_missing(response: Response) -> None:
    error = raised(response)
    assert isinstance(error, errors.CrdMissing)
    assert "Argo Rollouts is not installed" in error.message
    other = raised(response, Request("GET", "/apis/monitoring.coreos.com/v1/podmonitors"))
    assert other.message == "the cluster does not know `podmonitors.monitoring.coreos.com`"


@pytest.mark.parametrize(
    ("code", "family"),
    [
        (400, errors.Invalid),
        (405, errors.Invalid),
        (409, errors.Conflict),
        (415, errors.Invalid),
        (422, errors.Invalid),
        (410, errors.ServerError),
        (429, errors.ServerError),
        (500, errors.ServerError),
        (503, errors.ServerError),
        (302, errors.ServerError),
    ],
)
def test_every_other_status_has_its_family_and_the_servers_words(code: int, family: type[errors.CanaryError]) -> None:
    error = raised(status(code, "so it is."))
    assert type(error) is family
    assert "so it is" in error.message
    assert not error.message.endswith(".")


def test_a_busy_server_says_when_to_come_back() -> None:
    error = raised(status(429, "slow down", {"retry-after": "7"}))
    assert isinstance(error, errors.ServerError)
    assert (error.status, error.retry_after) == (429, 7.0)
    dated = raised(status(503, "", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}))
    assert isinstance(dated, errors.ServerError)
    assert dated.retry_after is None


def test_a_body_that_is_no_status_is_cut() -> None:
    text = b"x" * 5000
    error = raised(Response(502, {}, text))
    assert error.message == "the API server answered 502: " + text[:256].decode()
    assert raised(Response(500, {}, b"")).message == "the API server answered 500"


@pytest.mark.parametrize("status", [401, 403, 502, 503])
def test_a_page_is_not_quoted_but_named(status: int) -> None:
    error = raised(Response(status, {}, b"\n <!DOCTYPE html><form>password</form>"))
    assert "a proxy or a login page answered in place of the API server" in error.message
    assert "DOCTYPE" not in error.message


@pytest.mark.parametrize(
    ("method", "query", "path", "verb"),
    [
        ("GET", (), ROLLOUT, "get"),
        ("GET", (), "/api/v1/namespaces/shop/pods", "list"),
        ("GET", (("watch", "1"),), "/api/v1/pods", "watch"),
        ("POST", (), "/api/v1/pods", "create"),
        ("PUT", (), ROLLOUT, "update"),
        ("DELETE", (), ROLLOUT, "delete"),
        ("PATCH", (), ROLLOUT, "patch"),
    ],
)
def test_verbs_are_those_of_roles(method: str, query: tuple[tuple[str, str], ...], path: str, verb: str) -> None:
    assert verb_of(Request(method, path, query)) == verb


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (ROLLOUT, Target("argoproj.io", "v1alpha1", "shop", "rollouts", "api", "")),
        (
            "/api/v1/namespaces/shop/services/prom:9090/proxy/api/v1/query",
            Target("", "v1", "shop", "services", "prom:9090", "proxy/api/v1/query"),
        ),
        ("/api/v1/namespaces/shop", Target("", "v1", "", "namespaces", "shop", "")),
        ("/api/v1/pods", Target("", "v1", "", "pods", "", "")),
        ("/api/v1", Target("", "v1", "", "", "", "")),
        ("/apis", Target("", "", "", "", "", "")),
        ("/version", Target("", "", "", "", "", "")),
    ],
)
def test_paths_are_read(path: str, target: Target) -> None:
    assert path_target(path) == target


def test_paths_are_built() -> None:
    assert path_of("argoproj.io/v1alpha1", "rollouts", "shop", "api") == ROLLOUT
    assert path_of("v1", "pods", "") == "/api/v1/pods"
    assert path_of("v1", "pods", "n", "p", "log") == "/api/v1/namespaces/n/pods/p/log"


def test_other_versions_of_a_kind_have_the_same_plural() -> None:
    found = known("autoscaling/v1", "HorizontalPodAutoscaler")
    assert found
    assert (found.api_version, found.plural) == ("autoscaling/v1", "horizontalpodautoscalers")
    assert known("example.com/v1", "Service") is None


def test_a_conflict_of_server_side_apply_names_the_other_managers() -> None:
    owners = (("replicas", "kubectl-scale"), ("paused", "kubectl-scale"), ("x", "canary"))
    causes = [
        {
            "reason": "FieldManagerConflict",
            "field": f".spec.{field}",
            "message": f'conflict with "{manager}" using argoproj.io/v1alpha1',
        }
        for field, manager in owners
    ]
    error = raised(status(409, "Apply failed", details={"causes": causes}))
    assert isinstance(error, errors.Conflict)
    assert error.managers == ("kubectl-scale", "canary")


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_an_answer_that_leads_elsewhere_says_what_to_look_at(code: int) -> None:
    error = raised(Response(code, {"Location": "https://login.example.com/?next=\x1b[31m"}, b""))
    assert error.message == f"the API server answered {code}"
    assert error.hint.startswith("a proxy or a login page may have answered")
