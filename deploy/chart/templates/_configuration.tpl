{{/* Whether pods keep their names and volumes. */}}
{{- define "gateway.isStateful" -}}
{{- if or (eq .Values.store.engine "sqlite") .Values.persistence.enabled -}}yes{{- end -}}
{{- end -}}

{{/* What agents in the cluster reach the gateway by. */}}
{{- define "gateway.serviceNames" -}}
{{- $service := printf "%s.%s.svc" (include "gateway.fullname" .) .Release.Namespace -}}
{{- list (printf "%s.%s" $service .Values.clusterDomain) $service | toJson -}}
{{- end -}}

{{- define "gateway.publicNames" -}}
{{- concat .Values.publicNames (include "gateway.serviceNames" . | fromJsonArray) | uniq | toJson -}}
{{- end -}}

{{/* Origins of these names at the port of the Service. */}}
{{- define "gateway.originsAtPort" -}}
{{- $port := int .port -}}
{{- $origins := list -}}
{{- range .names -}}
{{- $host := ternary (printf "[%s]" .) . (contains ":" .) -}}
{{- $origins = append $origins (ternary (printf "https://%s" $host) (printf "https://%s:%d" $host $port) (eq $port 443)) -}}
{{- end -}}
{{- $origins | toJson -}}
{{- end -}}

{{/* How many ports other gateways reach it by: one for each worker. */}}
{{- define "gateway.peerPorts" -}}
{{- $workers := .Values.config.workers | default 1 -}}
{{- if eq (toString $workers) "auto" -}}64{{- else -}}{{- int $workers -}}{{- end -}}
{{- end -}}

{{- define "gateway.policyFiles" -}}
{{- $names := ternary .Values.policy.existingConfigMap.keys (keys .Values.policy.files | sortAlpha) (ne .Values.policy.existingConfigMap.name "") -}}
{{- $names | toJson -}}
{{- end -}}

{{/*
gateway.yaml. It is written as JSON, which every reader of YAML reads in the same way: what this program prints as plain YAML follows
another version of YAML than the gateway reads, so a text such as 0o17 would arrive as a number.
*/}}
{{- define "gateway.configuration" -}}
{{- $values := .Values -}}
{{- $made := dict "version" 1 "stateDirectory" "/var/lib/upstreamproxy/state" -}}
{{- $_ := set $made "listen" (dict "address" $values.listenAddress "port" 8443) -}}
{{- $_ := set $made "publicNames" (include "gateway.publicNames" . | fromJsonArray) -}}
{{- /* Written, they are all that the gateway takes: those of the Service stay among them. */ -}}
{{- $port := $values.service.port -}}
{{- if $values.publicOrigins -}}
{{- $own := include "gateway.originsAtPort" (dict "port" $port "names" (include "gateway.serviceNames" . | fromJsonArray)) -}}
{{- $_ := set $made "publicOrigins" (concat $values.publicOrigins (fromJsonArray $own) | uniq) -}}
{{- else if not (has (int $port) (list 443 8443)) -}}
{{- $own := include "gateway.originsAtPort" (dict "port" $port "names" (include "gateway.publicNames" . | fromJsonArray)) -}}
{{- $_ := set $made "publicOrigins" (fromJsonArray $own) -}}
{{- end -}}
{{- if $values.tls.existingSecret -}}
{{- $_ := set $made "tls" (dict "certificate" "/run/tls/public/tls.crt" "key" "/run/tls/public/tls.key") -}}
{{- end -}}
{{- if eq $values.policy.source "files" -}}
{{- $paths := list -}}
{{- range include "gateway.policyFiles" . | fromJsonArray -}}
{{- $paths = append $paths (printf "policy/%s" .) -}}
{{- end -}}
{{- if $paths -}}{{- $_ := set $made "policy" $paths -}}{{- end -}}
{{- else -}}
{{- $_ := set $made "policy" $values.policy.source -}}
{{- end -}}
{{- include "gateway.setStore" (dict "made" $made "values" $values) -}}
{{- if $values.metrics.enabled -}}
{{- $_ := set $made "metrics" (dict "address" $values.listenAddress "port" $values.metrics.port) -}}
{{- end -}}
{{- $config := deepCopy $values.config -}}
{{- include "gateway.setAdmin" (dict "config" $config "root" .) -}}
{{- if $values.clusterIssuer.enabled -}}
{{- include "gateway.setIssuer" (dict "config" $config "issuer" $values.clusterIssuer) -}}
{{- end -}}
{{- $_ := set $config "limits" (set ($config.limits | default dict) "drainTimeoutMs" (mul 1000 $values.drainSeconds)) -}}
{{- merge $made $config | toPrettyJson -}}
{{- end -}}

{{- define "gateway.setStore" -}}
{{- $values := .values -}}
{{- if eq $values.store.engine "postgres" -}}
{{- $postgres := $values.store.postgres -}}
{{- $_ := set .made "store" (include "gateway.database" (dict "postgres" $postgres "login" $postgres) | fromJson) -}}
{{- $listen := dict "address" $values.listenAddress "port" $values.peers.port -}}
{{- $_ := set .made "peers" (dict "listen" $listen "host" (dict "env" "POD_IP")) -}}
{{- end -}}
{{- include "gateway.setIdentity" . -}}
{{- end -}}

{{/* The database, by the login of the gateways or by that of the owner. */}}
{{- define "gateway.database" -}}
{{- $store := dict "url" .login.url -}}
{{- if .login.passwordSecret.name -}}{{- $_ := set $store "source" (dict "file" "/run/database/password") -}}{{- end -}}
{{- if .postgres.caConfigMap.name -}}{{- $_ := set $store "ca" "/run/database-ca/ca.crt" -}}{{- end -}}
{{- if .postgres.dangerouslyWithoutTls -}}{{- $_ := set $store "dangerouslyWithoutTls" true -}}{{- end -}}
{{- $store | toJson -}}
{{- end -}}

{{- define "gateway.setIdentity" -}}
{{- $values := .values -}}
{{- if $values.identity.keySecret.name -}}
{{- $identity := dict "store" true "keyEncryptionKey" (dict "file" "/run/identity/key") -}}
{{- if $values.identity.nextKeySecret.name -}}
{{- $_ := set $identity "nextKeyEncryptionKey" (dict "file" "/run/next-identity/key") -}}
{{- end -}}
{{- $_ := set .made "identity" $identity -}}
{{- end -}}
{{- end -}}

{{- define "gateway.setAdmin" -}}
{{- $values := .root.Values -}}
{{- if $values.admin.enabled -}}
{{- $service := printf "%s-admin.%s.svc" (include "gateway.fullname" .root) .root.Release.Namespace -}}
{{- $names := concat $values.admin.names (list (printf "%s.%s" $service $values.clusterDomain) $service) | uniq -}}
{{- $listen := dict "address" $values.listenAddress "port" $values.admin.port "names" $names -}}
{{- $_ := set $listen "certificate" "/run/tls/admin/tls.crt" -}}
{{- $_ := set $listen "key" "/run/tls/admin/tls.key" -}}
{{- $_ := set .config "admin" (set (.config.admin | default dict) "listen" $listen) -}}
{{- end -}}
{{- end -}}

{{- define "gateway.setIssuer" -}}
{{- $entry := dict "issuer" .issuer.issuer -}}
{{- if .issuer.jwksUrl -}}{{- $_ := set $entry "jwksUrl" .issuer.jwksUrl -}}{{- end -}}
{{- if .issuer.namespaces -}}
{{- $subjects := list -}}
{{- range .issuer.namespaces -}}{{- $subjects = append $subjects (printf "system:serviceaccount:%s:*" .) -}}{{- end -}}
{{- $_ := set $entry "for" (dict "sub" $subjects) -}}
{{- end -}}
{{- /* For this issuer alone: origins are not verified against the cluster's authority. */ -}}
{{- $_ := set $entry "ca" "cluster/ca.crt" -}}
{{- $_ := set .config "issuers" (append (.config.issuers | default list) $entry) -}}
{{- end -}}

{{/* What fits together is more than the schema can say. Each line says what to write. */}}
{{- define "gateway.refusals" -}}
{{- $values := .Values -}}
{{- $isShared := eq $values.store.engine "postgres" -}}
{{- if and (not $isShared) (or (gt (int $values.replicas) 1) $values.autoscaling.enabled) -}}
{{- fail "several gateways need a store that they share: write store.engine: postgres, or replicas: 1 and autoscaling.enabled: false" -}}
{{- end -}}
{{- if and (not $isShared) (not $values.persistence.enabled) -}}
{{- fail "without its volume a gateway forgets its authority and which tokens were used: write persistence.enabled: true, or store.engine: postgres" -}}
{{- end -}}
{{- /* Whatever the engine is: a password that nobody uses yet would be kept with the release all the same. */ -}}
{{- $form := "^postgres(ql)?://[^:@/?#\\s]+@[^@?#\\s]+$" -}}
{{- $owner := $values.store.postgres.owner -}}
{{- if and (or $isShared $values.store.postgres.url) (not (regexMatch $form $values.store.postgres.url)) -}}
{{- fail "store.postgres.url: write postgres://USER@HOST:PORT/DATABASE, without a password and without parameters" -}}
{{- end -}}
{{- if and $owner.url (not (regexMatch $form $owner.url)) -}}
{{- fail "store.postgres.owner.url: write postgres://USER@HOST:PORT/DATABASE, without a password and without parameters" -}}
{{- end -}}
{{- if $isShared -}}
{{- if $owner.url -}}
{{- range $values.externalSecrets -}}
{{- if has .name (list $owner.passwordSecret.name $values.identity.keySecret.name $values.identity.nextKeySecret.name) -}}
{{- fail (printf "externalSecrets: the Job that makes the schema needs the Secret %s before the chart makes it; make that ExternalSecret beforehand" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := required "identity.keySecret.name: name the Secret with the key that opens what the gateways share" $values.identity.keySecret.name -}}
{{- end -}}
{{- if and $values.identity.nextKeySecret.name (not $values.identity.keySecret.name) -}}
{{- fail "identity.nextKeySecret follows identity.keySecret: name that too" -}}
{{- end -}}
{{- if and $values.admin.enabled (not $values.admin.tlsSecret) -}}
{{- fail "admin.tlsSecret: name a Secret with a certificate, or tokens of operators would pass in the clear" -}}
{{- end -}}
{{- if and $values.policy.files $values.policy.existingConfigMap.name -}}
{{- fail "policy files are in one place: write policy.files or policy.existingConfigMap" -}}
{{- end -}}
{{- if and $values.policy.existingConfigMap.name (not $values.policy.existingConfigMap.keys) -}}
{{- fail "policy.existingConfigMap.keys: name the files" -}}
{{- end -}}
{{- if and (ne $values.policy.source "files") (or $values.policy.files $values.policy.existingConfigMap.name) -}}
{{- fail "policy.source does not read files: write policy.source: files, or leave the files out" -}}
{{- end -}}
{{- if and (ne $values.service.type "LoadBalancer") (or $values.service.loadBalancerClass $values.service.loadBalancerSourceRanges) -}}
{{- fail "service.loadBalancerClass and service.loadBalancerSourceRanges are for a load balancer: write service.type: LoadBalancer, or leave them out" -}}
{{- end -}}
{{- if and (eq $values.service.type "ClusterIP") $values.service.externalTrafficPolicy -}}
{{- fail "service.externalTrafficPolicy is about traffic from outside: write service.type: LoadBalancer or NodePort, or leave it out" -}}
{{- end -}}
{{- include "gateway.refusePorts" . -}}
{{- if $values.autoscaling.enabled -}}
{{- if gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if not (or $values.autoscaling.tunnels $values.autoscaling.cpuPercent) -}}
{{- fail "autoscaling needs a measure: write autoscaling.tunnels or autoscaling.cpuPercent" -}}
{{- end -}}
{{- if and $values.autoscaling.cpuPercent (not (dig "requests" "cpu" "" $values.resources)) -}}
{{- fail "autoscaling.cpuPercent is a share of resources.requests.cpu: write that too" -}}
{{- end -}}
{{- if and $values.autoscaling.tunnels (not $values.metrics.enabled) -}}
{{- fail "autoscaling.tunnels needs metrics: write metrics.enabled: true" -}}
{{- end -}}
{{- end -}}
{{- if and (not $values.metrics.enabled) (or $values.metrics.serviceMonitor.enabled $values.metrics.prometheusRule.enabled) -}}
{{- fail "a ServiceMonitor and a PrometheusRule need metrics: write metrics.enabled: true" -}}
{{- end -}}
{{- if $values.networkPolicy.enabled -}}
{{- if and $isShared (not $values.networkPolicy.database) -}}
{{- fail "networkPolicy.database: say where the database is, or the gateways cannot reach it" -}}
{{- end -}}
{{- if and $values.clusterIssuer.enabled (not $values.clusterIssuer.jwksUrl) (not $values.networkPolicy.kubernetesApi) -}}
{{- fail "networkPolicy.kubernetesApi: say where the API server is, or the gateway cannot fetch the cluster's keys" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* No two listeners of a pod share a port. */}}
{{- define "gateway.refusePorts" -}}
{{- $ports := list 8443 -}}
{{- if .Values.metrics.enabled -}}{{- $ports = append $ports (int .Values.metrics.port) -}}{{- end -}}
{{- if .Values.admin.enabled -}}{{- $ports = append $ports (int .Values.admin.port) -}}{{- end -}}
{{- if eq .Values.store.engine "postgres" -}}
{{- range $i := until (include "gateway.peerPorts" . | int) -}}
{{- $ports = append $ports (add (int $.Values.peers.port) $i | int) -}}
{{- end -}}
{{- end -}}
{{- if ne (len $ports) (len (uniq $ports)) -}}
{{- fail "two listeners of a gateway have one port: 8443 is for agents; metrics.port, admin.port and peers.port, with one more for each worker, are others" -}}
{{- end -}}
{{- end -}}
