"""What each cause means, how to confirm it by hand and how to fix it: the sections of docs/causes.md."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    means: str
    confirm: str
    fix: str


MEANINGS: dict[str, Meaning] = {
    "spec-invalid": Meaning(
        "The controller does not accept the Rollout's spec. It changes nothing until the spec is corrected.",
        "`kubectl get rollout NAME -o yaml` has a condition `InvalidSpec` that names the field.",
        "Correct the field that the message names, or create what it refers to. `canary lint` finds most of these "
        "before a release.",
    ),
    "superseded": Meaning(
        "Another version has taken the place of the one that you asked about.",
        "`canary history` lists the revisions, who sent them and when.",
        "Deploy your version again if it is still wanted.",
    ),
    "controller-not-running": Meaning(
        "Nobody acts on the Rollout: the Argo Rollouts controller does not run, or does not look at this namespace.",
        "`kubectl -n argo-rollouts get deployment,pods` and the `renewTime` of its Lease.",
        "Start the controller again. What was sent takes effect when it runs.",
    ),
    "healthy": Meaning(
        "The newest version is the stable one, and all its pods are available.",
        "`canary status` prints Healthy and exits with 0.",
        "Nothing needs to be fixed.",
    ),
    "image-pull": Meaning(
        "The node cannot pull the image: it does not exist, its name is wrong, or the registry refuses it.",
        "`kubectl describe pod POD` shows ErrImagePull or ImagePullBackOff and the registry's answer.",
        "Push the image, or deploy a version that exists. If the registry refuses the credentials, correct the Secret "
        "in `imagePullSecrets`.",
    ),
    "oom-killed": Meaning(
        "The kernel killed the container because it used more memory than its limit.",
        "`kubectl get pod POD -o yaml` has `OOMKilled` as the reason of the last state.",
        "Raise `resources.limits.memory`, or deploy a version that needs less.",
    ),
    "crash-loop": Meaning(
        "The container starts and exits again and again, so its pod never becomes ready.",
        "`canary logs --previous` shows what it wrote before it exited, and `kubectl describe pod POD` its exit code.",
        "Read the last lines of the log. Correct the program or its configuration, and deploy a fixed version.",
    ),
    "readiness-failing": Meaning(
        "The container runs, but its readiness probe does not succeed, so the pod gets no traffic.",
        "`kubectl describe pod POD` shows `Readiness probe failed` and the answer.",
        "Check the probe's path and port, and what the program waits for: a database, a migration, a cache.",
    ),
    "analysis-failed": Meaning(
        "A metric was measured and broke its limit, so the version was rolled back.",
        "`canary analysis` shows each value beside the limit, and the query.",
        "If the value is real, fix the version. If it is not, check the query, the limit and the number of requests.",
    ),
    "progress-deadline": Meaning(
        "The new pods made no progress within `progressDeadlineSeconds`, and nothing that is left says why.",
        "`canary events` has `has timed out progressing`.",
        "Deploy it again and run `canary why` while its pods exist. If they only need longer, raise "
        "`progressDeadlineSeconds`.",
    ),
    "aborted-by-a-person": Meaning(
        "Someone aborted the release. No analysis and no deadline did.",
        "`canary history` names who did it and why, where that was recorded.",
        "Ask them. `canary retry` runs the same version again from its first step.",
    ),
    "aborted": Meaning(
        "The release was rolled back, and only the controller's message says why.",
        "`kubectl get rollout NAME -o yaml` has that message in its status.",
        "Deploy a fixed version, or run the same one again with `canary retry`.",
    ),
    "waiting-for-a-person": Meaning(
        "The steps have a pause without an end. The release continues when someone promotes it.",
        "`canary get` shows the step and how long it has waited.",
        "Look at the metrics, then run `canary promote` or `canary abort`.",
    ),
    "in-progress": Meaning(
        "The release moves as it should, or it has only just begun.",
        "`canary watch` shows every change.",
        "Nothing needs to be fixed. `canary watch` says how it ends.",
    ),
}
