"""Whom a request acts as (`kubectl --as`): the right to impersonate, and the RBAC of the one acted as, from the Roles
and bindings in the store. From kube-apiserver, endpoints/filters/impersonation.go and RBAC's `AppliesTo`."""

from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from companyos_canary.model.http import Json, Request
from companyos_canary.sandbox.api.access import Asker, Attributes, Roles, Rule
from companyos_canary.sandbox.kinds import CLUSTERROLE, CLUSTERROLEBINDING, ROLE, ROLEBINDING, Kind
from companyos_canary.sandbox.objects import ApiStatus, Object, forbidden
from companyos_canary.sandbox.store import Store

_PREFIX = "impersonate-"
_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"
_AUTHENTICATION = "authentication.k8s.io"
_ANYONE, _ANONYMOUS, _MASTERS = "system:authenticated", "system:anonymous", "system:masters"


def acting(request: Request, owner: Asker, store: Store) -> Asker:
    """Who asks: `owner`, or the one that the headers of the request name. ApiStatus 403 where `owner` may not act as
    them, 500 where groups or others are named without a user."""
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower().startswith(_PREFIX)}
    if not headers:
        return owner
    user = headers.get("impersonate-user", "")
    if not user:
        told = f'Internal Server Error: "{request.path}": requested {sorted(headers)} without impersonating a user'
        raise ApiStatus(500, "InternalError", told)
    groups = _values(headers.get("impersonate-group", ""))
    for wanted in _wanted(user, groups, headers):
        if not owner.allowed(wanted):
            raise _not_permitted(owner.user, wanted)
    return _bound(user, _completed(user, groups), store)


def _values(header: str) -> tuple[str, ...]:
    """A server that gets a header more than once puts each value on a line of its own."""
    return tuple(value for value in header.split("\n") if value)


def _wanted(user: str, groups: Iterable[str], headers: Json) -> Iterator[Attributes]:
    if user.startswith(_ACCOUNT) and user.count(":") == 3:
        namespace, name = user.removeprefix(_ACCOUNT).split(":")
        yield Attributes("impersonate", "", "serviceaccounts", "", namespace, name)
    else:
        yield Attributes("impersonate", "", "users", name=user)
    for group in groups:
        yield Attributes("impersonate", "", "groups", name=group)
    if uid := headers.get("impersonate-uid"):
        yield Attributes("impersonate", _AUTHENTICATION, "uids", name=uid)
    for name in sorted(headers):
        for value in _values(headers[name]) if name.startswith(_EXTRA) else ():
            yield Attributes(
                "impersonate", _AUTHENTICATION, "userextras", unquote(name.removeprefix(_EXTRA)), name=value
            )


def _not_permitted(owner: str, wanted: Attributes) -> ApiStatus:
    kind = Kind(wanted.group, "v1", "", wanted.resource, "")
    return forbidden(
        owner, wanted.verb, kind, namespace=wanted.namespace, name=wanted.name, subresource=wanted.subresource
    )


def _completed(user: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """With those that an account is always in, and that of all who are known."""
    if not groups and user.startswith(_ACCOUNT) and user.count(":") == 3:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}")
    if user == _ANONYMOUS:
        return (*groups, "system:unauthenticated")
    return groups if _ANYONE in groups else (*groups, _ANYONE)


def _bound(user: str, groups: tuple[str, ...], store: Store) -> Asker:
    if _MASTERS in groups:
        return Asker(user, groups)
    bindings = [b for kind in (ROLEBINDING, CLUSTERROLEBINDING) for b in store.items(kind)]
    roles = Roles(tuple(rule for b in bindings if _is_about(b, user, groups) for rule in _rules(b, store)))
    return Asker(user, groups, roles, roles.listed)


def _is_about(binding: Object, user: str, groups: tuple[str, ...]) -> bool:
    for subject in binding.get("subjects") or []:
        kind, name = subject["kind"], subject["name"]
        named = f"{_ACCOUNT}{subject.get('namespace', '')}:{name}" if kind == "ServiceAccount" else name
        if (kind == "Group" and name in groups) or (kind in ("User", "ServiceAccount") and named == user):
            return True
    return False


def _rules(binding: Object, store: Store) -> Iterator[Rule]:
    """What it grants; nothing where the role does not exist."""
    namespace, reference = binding["metadata"].get("namespace", ""), binding["roleRef"]
    kind, place = (ROLE, namespace) if reference["kind"] == "Role" else (CLUSTERROLE, "")
    role = store.get(kind, place, reference["name"])
    for rule in (role or {}).get("rules") or []:
        yield Rule(
            verbs=tuple(rule["verbs"]),
            groups=tuple(rule.get("apiGroups") or ()),
            resources=tuple(rule.get("resources") or ()),
            names=tuple(rule.get("resourceNames") or ()),
            namespace=namespace,
        )
