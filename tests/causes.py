"""What each cause means, how to confirm it by hand and how to fix it: the sections of docs/causes.md."""

from msgspec import Struct


class Meaning(Struct, frozen=True):
    means: str
    confirm: str
    fix: str


_DESCRIBE = "`kubectl describe pod POD` shows it in the events and in the state of the container."
_ANALYSIS = "`canary analysis` shows each measurement with its message, and the query."
_NOTHING = "Nothing needs to be fixed."

MEANINGS: dict[str, Meaning] = {
    "spec-invalid": Meaning(
        "The controller does not accept the Rollout's spec. It changes nothing until the spec is corrected.",
        "`kubectl get rollout NAME -o yaml` has a condition `InvalidSpec` that names the field.",
        "Correct the field that the message names, or create what it refers to. `canary lint` finds most of these "
        "before a release.",
    ),
    "instance-id": Meaning(
        "The controller looks after Rollouts of another instance id, so no controller looks after this one.",
        "Compare the label `argo-rollouts.argoproj.io/controller-instance-id` with `--instance-id` of the controller.",
        "Set the label to the controller's instance id, or remove it where the controller has none.",
    ),
    "template-cycle": Meaning(
        "AnalysisTemplates of the Rollout use each other in a circle. The controller follows them without an end and "
        "crashes, for every Rollout in the cluster, and again after each restart.",
        "`kubectl -n argo-rollouts get pods` shows restarts; `canary lint` over the templates names the circle.",
        "Remove one of the `templates` entries of the circle. The controller continues after its next start.",
    ),
    "controller-not-running": Meaning(
        "No controller acts on the Rollout: that of Argo Rollouts does not run, or does not look at this namespace.",
        "Run `kubectl -n argo-rollouts get deployment,pods`, and look at the `renewTime` of its Lease.",
        "Start the controller again. What was sent takes effect when it runs.",
    ),
    "controller-not-observing": Meaning(
        "A controller runs, but it has not looked at the newest change: of the spec, or an abort or a retry, which are "
        "in the status.",
        "`metadata.generation` of the Rollout is greater than `status.observedGeneration`; or `status.abort` is true "
        "and the phase is not Degraded.",
        "Send an abort or a retry again. Otherwise read the controller's log; a restart makes it read every Rollout "
        "again.",
    ),
    "promote-lost": Meaning(
        "A promote was stored in the status, but the controller missed it (argoproj/argo-rollouts#4694).",
        "The status has `controllerPause: true` and no `pauseConditions`, or `promoteFull: true` with them, and "
        "nothing moves.",
        "Send the promote again. If that does not help, restart the controller.",
    ),
    "gitops-reverted": Meaning(
        "Argo CD or Flux applies this Rollout from Git and has put the version of Git back.",
        "Look at `managedFields` and the tracking annotation, and at the history of the application.",
        "Change the version in Git, or stop the automatic synchronization first.",
    ),
    "spec-on-aborted-version": Meaning(
        "A version was aborted, so the stable one serves. The spec still names the aborted version, and for as long as "
        "it does, the Rollout is Degraded.",
        "`spec.template` has the aborted version, and `status.abort` is true.",
        "Set the stable version back with `canary undo`, deploy a fixed version, or run `canary retry`.",
    ),
    "superseded": Meaning(
        "Another version has taken the place of the one that you asked about.",
        "`canary history` lists the revisions, who sent them and when.",
        "Deploy your version again if it is still wanted.",
    ),
    "abort-dropped": Meaning(
        "The abort came when the version was already promoted. The controller drops such an abort without a word.",
        "The phase is Healthy, and `stableRS` equals `currentPodHash`.",
        "Go back with `canary undo`.",
    ),
    "no-previous-version": Meaning(
        "An undo needs the ReplicaSet of an earlier version, and none is left.",
        "`kubectl get replicasets` lists one ReplicaSet of this Rollout.",
        "Deploy the earlier version by its tag. A larger `revisionHistoryLimit` keeps more of them.",
    ),
    "abort-held-by-pause": Meaning(
        "The Rollout is aborted and also paused by hand. While it is paused, the controller moves no pod.",
        "`spec.paused` and `status.abort` are both true, and the canary's ReplicaSet still has replicas.",
        "End the pause with `canary resume`; the roll-back then finishes.",
    ),
    "stable-unhealthy": Meaning(
        "The stable version's own pods are in trouble. A canary cannot be compared with it, and a roll-back waits "
        "for it.",
        "`canary get` shows the pods of both versions.",
        "Repair the stable version first: its image, its ConfigMaps, what it depends on. Or promote a version that "
        "works with `canary promote --full`.",
    ),
    "service-pinned": Meaning(
        "The stable Service selects pods by a hash that is not the stable ReplicaSet's.",
        "Compare `spec.selector` of the Service with `status.stableRS`.",
        "If someone edited the Service, or Git applies it with a hash, remove the hash from that manifest; the "
        "controller sets it.",
    ),
    "service-selects-nothing": Meaning(
        "The selector of a Service does not fit the labels of the Rollout's pods.",
        "`kubectl get endpoints SERVICE` is empty.",
        "Make the selector equal to the labels in the pod template.",
    ),
    "scaled-to-zero": Meaning(
        "`spec.replicas` is 0, so there are no pods, and every step passes at once.",
        "`kubectl get rollout NAME` shows 0 desired pods.",
        "Scale it up, or look at what scales it (HPA, KEDA).",
    ),
    "weight-without-pods": Meaning(
        "A step gives the canary a weight, and it has no pods: `setCanaryScale` asks for none, or they were removed. "
        "The requests fail that the router sends there; if it sends none, the steps go on without a request.",
        "The canary's ReplicaSet has 0 replicas at a step with a weight; `status.canary.weights` has the router's.",
        "Abort, and put the `setCanaryScale` with replicas before the `setWeight`.",
    ),
    "abort-keeps-weight": Meaning(
        "The release was aborted, but the router still sends requests to its pods, although stable is complete. With "
        "`dynamicStableScale`, controllers since 1.9 do this if `minPodsPerReplicaSet` is set "
        "(argoproj/argo-rollouts#4841) or, before 1.10, `abortScaleDownDelaySeconds` (argoproj/argo-rollouts#4898).",
        "`status.canary.weights.canary.weight` is above 0 minutes after `status.abortedAt`.",
        "Set the stable version back with `canary undo`. For the next time, remove the field that is named, or update "
        "the controller.",
    ),
    "old-run-decides": Meaning(
        "A retry was ended at once by an AnalysisRun that had failed before it (argoproj/argo-rollouts#2824, #2897).",
        "The newest AnalysisRun of this revision ended before the retry was sent.",
        "Delete that AnalysisRun, then run `canary retry`.",
    ),
    "healthy": Meaning(
        "The newest version is the stable one, and all its pods are available.",
        "`canary status` prints Healthy and exits with 0.",
        _NOTHING,
    ),
    "image-pull": Meaning(
        "The node cannot pull the image: it does not exist, its name is wrong, or the registry refuses it.",
        "`kubectl describe pod POD` shows ErrImagePull or ImagePullBackOff and the registry's answer.",
        "Push the image, or deploy a version that exists. If the registry refuses the credentials, correct the Secret "
        "in `imagePullSecrets`.",
    ),
    "missing-config": Meaning(
        "The pod needs a ConfigMap or a Secret that does not exist.",
        _DESCRIBE,
        "Create it, or correct its name. A hashed name may have been pruned: apply the version's own manifests again.",
    ),
    "oom-killed": Meaning(
        "The kernel killed the container because it used more memory than its limit.",
        "`kubectl get pod POD -o yaml` has `OOMKilled` as the reason of the last state.",
        "Raise `resources.limits.memory`, or deploy a version that needs less.",
    ),
    "liveness-failing": Meaning(
        "The kubelet restarts the container because its liveness probe or its startup probe fails.",
        "`kubectl describe pod POD` has `Liveness probe failed` or `Startup probe failed`.",
        "If it only starts slowly, give it a startupProbe with more tries. Otherwise find out why it does not answer.",
    ),
    "crash-loop": Meaning(
        "The container starts and exits again and again, so its pod never becomes ready.",
        "`canary logs --previous` shows what it wrote before it exited, and `kubectl describe pod POD` its exit code.",
        "Read the last lines of the log. Correct the program or its configuration, and deploy a fixed version.",
    ),
    "init-container": Meaning(
        "An init container fails, so the containers behind it are never started.",
        "`kubectl logs POD -c CONTAINER` shows what the init container wrote.",
        "Correct what it does or waits for, for example a migration or a dependency.",
    ),
    "container-start": Meaning(
        "The container runtime cannot start the container: wrong command, missing file, or a refused security setting.",
        _DESCRIBE,
        "Correct the command or the security context that the message names.",
    ),
    "unschedulable": Meaning(
        "No node can take the pod: not enough CPU or memory, no node that fits its rules, or a scheduling gate that "
        "was not removed.",
        "`kubectl describe pod POD` has the scheduler's count of nodes and reasons.",
        "Add nodes, lower the requests, or correct node selectors, affinity and tolerations. A gate is removed by who "
        "set it, such as Kueue.",
    ),
    "volume": Meaning(
        "A volume cannot be bound, attached or mounted.",
        _DESCRIBE,
        "Create the claim or the storage class, or detach the volume from the node that holds it.",
    ),
    "pod-sandbox": Meaning(
        "The node cannot set up the pod, mostly because its network has no address left or does not answer.",
        _DESCRIBE,
        "Look at the network plugin of that node, or move the pod by deleting it.",
    ),
    "pod-failed": Meaning(
        "The pod has ended, for example because the node evicted it, or its node does not answer.",
        "`kubectl get pod POD -o yaml` has the reason in its status.",
        "Free the resource that the message names; the ReplicaSet makes another pod.",
    ),
    "readiness-gate": Meaning(
        "The containers are ready, but a readiness gate that someone else must set is not.",
        "The condition of that name is missing in the pod's status, or is False.",
        "Look at the controller that sets it, often a load balancer's.",
    ),
    "readiness-failing": Meaning(
        "The container runs, but its readiness probe does not succeed, so the pod gets no traffic.",
        "`kubectl describe pod POD` shows `Readiness probe failed` and the answer.",
        "Check the probe's path and port, and what the program waits for: a database, a migration, a cache.",
    ),
    "quota": Meaning(
        "The namespace's ResourceQuota does not allow another pod.",
        "`kubectl describe resourcequota` shows what is used and what is allowed.",
        "Raise the quota, lower the requests, or use a smaller maxSurge.",
    ),
    "controller-permissions": Meaning(
        "The controller is not permitted to make what the release needs.",
        "The message names the verb and the resource that its ServiceAccount may not use.",
        "Give the controller's ClusterRole this right.",
    ),
    "admission-refused": Meaning(
        "A policy of the cluster refuses the pods: a webhook, Pod Security, or a ValidatingAdmissionPolicy.",
        "`kubectl describe replicaset NAME` has the refusal in its events.",
        "Change the pod template as the message says, or the policy.",
    ),
    "pods-refused": Meaning(
        "The API server refuses to make the pods.",
        "`kubectl describe replicaset NAME` has the refusal in its events.",
        "Correct what the message names.",
    ),
    "missing-secret": Meaning(
        "The analysis takes an argument from a Secret that does not exist.",
        _ANALYSIS,
        "Create the Secret, or correct its name or key in the AnalysisTemplate.",
    ),
    "missing-template": Meaning(
        "The analysis refers to an AnalysisTemplate that does not exist.",
        "`kubectl get analysistemplates,clusteranalysistemplates` lists those there are.",
        "Apply the AnalysisTemplate, or correct its name; `clusterScope` decides which kind is meant.",
    ),
    "missing-argument": Meaning(
        "The AnalysisTemplate uses an argument that has no value.",
        _ANALYSIS,
        "Give the argument in the Rollout's analysis step, or a default in the template.",
    ),
    "prometheus-unauthorized": Meaning(
        "Prometheus, or a proxy before it, refuses the controller's credentials.",
        _ANALYSIS,
        "Correct the authentication or the headers in the AnalysisTemplate.",
    ),
    "bad-query": Meaning(
        "Prometheus does not accept the query.",
        "Run the query of `canary metrics --query METRIC` in Prometheus.",
        "Correct the query in the AnalysisTemplate; `canary lint` parses it before a release.",
    ),
    "prometheus-error": Meaning(
        "Prometheus, or a proxy before it, answers with an HTTP error.",
        _ANALYSIS,
        "Look at Prometheus's own health. `consecutiveErrorLimit` says how many such answers in a row are forgiven.",
    ),
    "prometheus-unreachable": Meaning(
        "The controller cannot reach Prometheus at the address in the AnalysisTemplate.",
        "The message has the network error. Try the address from a pod in the controller's namespace.",
        "Correct the address, the port, or the NetworkPolicy, and run the version again with `canary retry`.",
    ),
    "bad-condition": Meaning(
        "The condition of the metric cannot be evaluated on what the query returns.",
        _ANALYSIS,
        "A query mostly returns a list, so that the value is `result[0]`. `canary lint` finds this before a release.",
    ),
    "analysis-error": Meaning(
        "The metric could not be measured, for a reason that only the message tells.",
        _ANALYSIS,
        "Correct what the message names, and run the version again with `canary retry`.",
    ),
    "not-scraped": Meaning(
        "Prometheus has no series of the metric at all, or none of the canary's pods: the application does not export "
        "it, or is not scraped.",
        "Ask Prometheus for the metric's name, and look at its targets.",
        "Correct the ServiceMonitor or the scrape annotations, or the metric's name in the query.",
    ),
    "label-missing": Meaning(
        "The metric exists, but no series has the labels by which the query finds the canary.",
        "Ask Prometheus for the metric without these labels, and look at the ones that its series have.",
        "Copy the pods' labels to the series in the scrape configuration, and set `canaryMetadata` in the Rollout.",
    ),
    "nothing-to-count": Meaning(
        "The query counts series that do not exist as long as nothing fails, such as those of errors: the best canary "
        "gives no data.",
        "Ask Prometheus for the selector of the errors alone; that of all requests has series.",
        "Let the query answer 0: `(sum(rate(ERRORS)) or vector(0)) / sum(rate(REQUESTS))`. `canary lint` finds this "
        "before a release.",
    ),
    "window-too-short": Meaning(
        "The window of the query is so short that it holds fewer than two scrapes, so that there is no rate.",
        "Compare the window with Prometheus's `scrape_interval`.",
        "Use a window of at least four scrape intervals.",
    ),
    "too-little-traffic": Meaning(
        "The canary had too few requests for a verdict.",
        "Ask Prometheus for the number of requests in the window.",
        "Wait and promote by hand, use a longer window or a larger weight, or lower `min_requests`.",
    ),
    "no-data": Meaning(
        "The query returned no data, or NaN. Why is not known, because Prometheus could not be asked, or all its "
        "answers look right.",
        "Run `canary metrics`, and ask Prometheus for the parts of the query.",
        "See `not-scraped`, `label-missing`, `window-too-short` and `too-little-traffic`.",
    ),
    "stable-is-as-bad": Meaning(
        "A metric broke its limit, and the stable version breaks it now as well: something that both use is at fault.",
        "Ask Prometheus the same question about the stable pods, or run `canary metrics`.",
        "Repair what both versions depend on, then run this one again with `canary retry`.",
    ),
    "wrong-unit": Meaning(
        "The value of the metric and its limit are in different units, such as milliseconds and seconds, or percent "
        "and a share. In the limit's unit the value would have passed.",
        "Compare the unit in the metric's name, and the factors in the query, with the number in the condition.",
        "Divide in the query, or write the limit in the query's unit. `canary lint` finds this before a release.",
    ),
    "retry-on-old-samples": Meaning(
        "A retry was judged on the requests of the attempt before it: the window of the query begins before that one "
        "ended.",
        "Compare when the earlier AnalysisRun ended with when the newer one measured, less the window.",
        "Wait for as long as the window, then run `canary retry`. With an `initialDelay` as long as the window this "
        "cannot happen.",
    ),
    "judged-on-earlier-canary": Meaning(
        "The query asks for all pods that are labelled as a canary, and its window holds the requests of the canary "
        "before this one.",
        "Compare when the last AnalysisRun of the earlier version ended with when this one measured, less the window.",
        "Wait for as long as the window, then run `canary retry`. For the next time, select by the pod template hash "
        "(`by_hash` in canary.yaml).",
    ),
    "several-apps": Meaning(
        "The query counts the requests of other services as well, so that its value is not that of this version.",
        "Ask Prometheus for `group by (namespace, pod, app) (METRIC)` with the selector of the query.",
        "Add the namespace and the names of the pods to the query (`analysis.scope` in canary.yaml), then retry.",
    ),
    "chance": Meaning(
        "The limit was crossed on so few requests that a version as good as the stable one does so now and then.",
        "Ask Prometheus for the number of requests in the window, and see docs/verdicts.md for the formula.",
        "Run it again with `canary retry`. For the next time, ask for more requests (`min_requests`), use a longer "
        "window or a larger weight, or `form: evidence`.",
    ),
    "analysis-failed": Meaning(
        "A metric was measured and broke its limit, so the version was rolled back.",
        "`canary analysis` shows each value with its limit and the query.",
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
    "router-error": Meaning(
        "The traffic router refuses the weights that the controller sets.",
        "`canary events` has TrafficRoutingError with the message.",
        "Create the Ingress, route or VirtualService that the message names, or give the controller the right to "
        "change it.",
    ),
    "paused-by-hand": Meaning(
        "Someone paused the Rollout. Nothing is scaled and no step ends until it is resumed.",
        "`spec.paused` is true.",
        "End the pause with `canary resume`.",
    ),
    "inconclusive": Meaning(
        "A metric neither passed nor failed, so the controller waits for a person to decide.",
        _ANALYSIS,
        "Look at the values, then run `canary promote` or `canary abort`.",
    ),
    "analysis-not-started": Meaning(
        "The rollout has reached an analysis step, but no AnalysisRun exists. There is no event for this.",
        "`kubectl get analysisruns` has none for this revision and step; the controller's log has the reason.",
        "Correct the arguments or the list of templates of the step, or the controller's right to make AnalysisRuns.",
    ),
    "no-room": Meaning(
        "The weight rounds to no canary pod, because maxSurge allows none in addition to the stable ones.",
        "The canary's ReplicaSet has 0 replicas at a step with a weight.",
        "Set maxSurge to 1 or more, use more replicas, or another weight.",
    ),
    "stale-replica-count": Meaning(
        "The controller waits for old pods that do not exist: its memory of a ReplicaSet is out of date "
        "(argoproj/argo-rollouts#3316, #3080).",
        "`status.replicas` of the Rollout is more than those of all its ReplicaSets together.",
        "Restart the controller: it reads every ReplicaSet again.",
    ),
    "deadline-not-firing": Meaning(
        "The progress deadline has passed, but the controller neither says so nor aborts. With Istio it does not look "
        "at the deadline while the canary is unavailable (argoproj/argo-rollouts#4626); without, see #4128 and #3988.",
        "The condition `Progressing` is True, and its `lastUpdateTime` is older than `progressDeadlineSeconds`.",
        "Abort by hand; with Istio that may take a restart of the controller. `--abort-on stuck=10m` aborts without "
        "the controller's deadline.",
    ),
    "undo-is-a-canary": Meaning(
        "An undo of a finished release runs all steps of the strategy, unless `rollbackWindow` covers it.",
        "The older version is the newest revision, and the step index is below the number of steps.",
        "Run `canary promote --full` if the version must be back at once. Set `rollbackWindow` for the next time.",
    ),
    "router-lagging": Meaning(
        "The weight was set, but the traffic router has not confirmed it.",
        "`status.canary.weights.verified` is false.",
        "Look at the router's own state; the rollout continues once it confirms the weight.",
    ),
    "weight-not-reached": Meaning(
        "The step asks for a share of the traffic that the router does not have. The controller changes no weight "
        "while the stable version, or the canary, has fewer available pods than that share needs; it says so nowhere.",
        "`status.canary.weights.canary.weight` is another one than the `setWeight` of the step. Compare "
        "`availableReplicas` of both ReplicaSets with their `replicas`.",
        "Get the missing pods ready: `canary get` lists those that are not. Until then the analysis measures the share "
        "that the router has.",
    ),
    "weight-rounded": Meaning(
        "Without a traffic router a weight is a number of pods. With so few pods the share of this step is none of "
        "them or all of them, so that there is no canary, or nothing else.",
        "Compare `replicas` of the canary's and of the stable ReplicaSet with the `setWeight` of the step.",
        "Run more replicas, allow a `maxSurge` of 1, or use a traffic router. `canary plan` shows the share of each "
        "step.",
    ),
    "timed-pause": Meaning(
        "A step with a pause of a fixed length is running.",
        "`canary get` shows how much of it is left.",
        _NOTHING + " `canary promote --skip-step` ends the pause early.",
    ),
    "waiting-for-a-person": Meaning(
        "The steps have a pause without an end. The release continues when someone promotes it.",
        "`canary get` shows the step and how long it has waited.",
        "Look at the metrics, then run `canary promote` or `canary abort`.",
    ),
    "slow-start": Meaning(
        "Pods are still starting, nothing is known to be wrong with them, and most of the progress deadline is over.",
        "`canary get` shows the pods and their age.",
        "Wait, or raise `progressDeadlineSeconds` if the version always needs this long.",
    ),
    "in-progress": Meaning(
        "The release moves as it should, or it has only just begun.",
        "`canary watch` shows every change.",
        _NOTHING + " `canary watch` says how it ends.",
    ),
}
