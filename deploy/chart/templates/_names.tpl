{{/* What things are called. Long names keep apart by a hash; 50 leaves room for what Kubernetes appends to those of a StatefulSet. */}}
{{- define "gateway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- end -}}
{{- /* A Service is named by a label of DNS that begins with a letter; the name of a release may begin with a digit and have dots. */ -}}
{{- $label := $full | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $label -}}{{- $label = printf "r-%s" $label -}}{{- end -}}
{{- if or (ne $label $full) (gt (len $label) 50) -}}
{{- $label = printf "%s-%s" ($label | trunc 41 | trimSuffix "-") ($full | sha256sum | trunc 8) -}}
{{- end -}}
{{- $label -}}
{{- end -}}

{{- define "gateway.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "gateway.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "gateway.image" -}}
{{- $image := .Values.image -}}
{{- $repository := required "image.repository: say where the image of the gateway is; deploy/gateway.Dockerfile builds it" $image.repository -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* By these the pods are found; they never change. */}}
{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "gateway.labels" -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: upstreamproxy
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{- define "gateway.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "gateway.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A text as the value of a key, to be read by people where it is plain. */}}
{{- define "gateway.text" -}}
{{- if regexMatch "^[!-~]([\\t\\n -~]*[!-~])?\\n$" . -}}
|
  {{- . | trimSuffix "\n" | nindent 2 }}
{{- else -}}
{{- /* A line break to YAML 1.1, also in quotes. The others are escaped already. */ -}}
{{ . | toJson | replace "\u0085" "\\u0085" }}
{{- end -}}
{{- end -}}
