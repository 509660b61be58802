{{- define "gateway.mounts" -}}
- { name: configuration, mountPath: /etc/upstreamproxy, readOnly: true }
{{- if .Values.tls.existingSecret }}
- { name: tls, mountPath: /run/tls/public, readOnly: true }
{{- end }}
{{- if .Values.admin.enabled }}
- { name: admin-tls, mountPath: /run/tls/admin, readOnly: true }
{{- end }}
{{- with include "gateway.databaseMounts" (dict "values" .Values "login" .Values.store.postgres) | trim }}
{{ . }}
{{- end }}
{{- range .Values.secretMounts }}
- { name: {{ printf "secret-%s" .name | quote }}, mountPath: {{ printf "/run/secrets/%s" .name | quote }}, readOnly: true }
{{- end }}
{{- range .Values.configMounts }}
- { name: {{ printf "config-%s" .name | quote }}, mountPath: {{ printf "/run/config/%s" .name | quote }}, readOnly: true }
{{- end }}
{{- if .Values.tokenMounts }}
- { name: tokens, mountPath: /run/tokens, readOnly: true }
{{- end }}
{{- end -}}

{{- define "gateway.volumes" -}}
# The policy is in the same folder, but from a ConfigMap of its own.
- name: configuration
  projected:
    sources:
      - configMap:
          name: {{ printf "%s-configuration" (include "gateway.fullname" .) | quote }}
      {{- $files := include "gateway.policyFiles" . | fromJsonArray }}
      {{- if and (eq .Values.policy.source "files") $files }}
      - configMap:
          name: {{ .Values.policy.existingConfigMap.name | default (printf "%s-policy" (include "gateway.fullname" .)) | quote }}
          items:
            {{- range $files }}
            - { key: {{ . | quote }}, path: {{ printf "policy/%s" . | quote }} }
            {{- end }}
      {{- end }}
      {{- if .Values.clusterIssuer.enabled }}
      # In every namespace Kubernetes has the authority of its API server here.
      - configMap:
          name: kube-root-ca.crt
          items: [{ key: ca.crt, path: cluster/ca.crt }]
      {{- end }}
{{- with .Values.tls.existingSecret }}
- { name: tls, secret: { secretName: {{ . | quote }}, defaultMode: 288 } }
{{- end }}
{{- if .Values.admin.enabled }}
- { name: admin-tls, secret: { secretName: {{ .Values.admin.tlsSecret | quote }}, defaultMode: 288 } }
{{- end }}
{{- with include "gateway.databaseVolumes" (dict "values" .Values "login" .Values.store.postgres) | trim }}
{{ . }}
{{- end }}
{{- range .Values.secretMounts }}
- { name: {{ printf "secret-%s" .name | quote }}, secret: { secretName: {{ .secretName | quote }}, defaultMode: 288 } }
{{- end }}
{{- range .Values.configMounts }}
- { name: {{ printf "config-%s" .name | quote }}, configMap: { name: {{ .configMapName | quote }} } }
{{- end }}
{{- if .Values.tokenMounts }}
- name: tokens
  projected:
    defaultMode: 288
    sources:
      {{- range .Values.tokenMounts }}
      - serviceAccountToken: { path: {{ .name | quote }}, audience: {{ .audience | quote }}, expirationSeconds: {{ .expirationSeconds | default 3600 | int }} }
      {{- end }}
{{- end }}
{{- end -}}

{{/* What opens the database, by a login, and the keys in it. */}}
{{- define "gateway.databaseMounts" -}}
{{- $shared := eq .values.store.engine "postgres" -}}
{{- if and $shared .login.passwordSecret.name }}
- { name: database, mountPath: /run/database, readOnly: true }
{{- end }}
{{- if and $shared .values.store.postgres.caConfigMap.name }}
- { name: database-ca, mountPath: /run/database-ca, readOnly: true }
{{- end }}
{{- if .values.identity.keySecret.name }}
- { name: identity, mountPath: /run/identity, readOnly: true }
{{- end }}
{{- if .values.identity.nextKeySecret.name }}
- { name: next-identity, mountPath: /run/next-identity, readOnly: true }
{{- end }}
{{- end -}}

{{- define "gateway.databaseVolumes" -}}
{{- $shared := eq .values.store.engine "postgres" -}}
{{- if and $shared .login.passwordSecret.name }}
{{ include "gateway.keyVolume" (dict "volume" "database" "secret" .login.passwordSecret "path" "password") }}
{{- end }}
{{- with .values.store.postgres.caConfigMap }}
{{- if and $shared .name }}
- name: database-ca
  configMap: { name: {{ .name | quote }}, items: [{ key: {{ .key | quote }}, path: ca.crt }] }
{{- end }}
{{- end }}
{{- with .values.identity.keySecret }}
{{- if .name }}
{{ include "gateway.keyVolume" (dict "volume" "identity" "secret" . "path" "key") }}
{{- end }}
{{- end }}
{{- with .values.identity.nextKeySecret }}
{{- if .name }}
{{ include "gateway.keyVolume" (dict "volume" "next-identity" "secret" . "path" "key") }}
{{- end }}
{{- end }}
{{- end -}}

{{/* One key of a Secret as a file. 288 is 0440: readers of YAML differ about a number that begins with 0. */}}
{{- define "gateway.keyVolume" -}}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret.name | quote }}
    defaultMode: 288
    items: [{ key: {{ .secret.key | quote }}, path: {{ .path }} }]
{{- end -}}
