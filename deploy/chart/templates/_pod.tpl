{{/* The pod of a gateway, whatever makes it. */}}
{{- define "gateway.podTemplate" -}}
metadata:
  annotations:
    checksum/configuration: {{ include "gateway.configuration" . | sha256sum | quote }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "gateway.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "gateway.podIdentity" . | nindent 2 }}
  # Time for the balancer to notice, for transfers to finish, and for the audit to be written.
  terminationGracePeriodSeconds: {{ add 5 $.Values.drainSeconds 15 }}
  {{- include "gateway.placement" . | nindent 2 }}
  containers:
    - name: gateway
      {{- include "gateway.containerBasics" . | nindent 6 }}
      {{- include "gateway.environment" . | nindent 6 }}
      command: [upstreamproxy, gateway, --config, /etc/upstreamproxy/gateway.yaml]
      ports:
        - { name: agents, containerPort: 8443 }
        {{- if .Values.metrics.enabled }}
        - { name: metrics, containerPort: {{ .Values.metrics.port }} }
        {{- end }}
        {{- if .Values.admin.enabled }}
        - { name: admin, containerPort: {{ .Values.admin.port }} }
        {{- end }}
        {{- if eq .Values.store.engine "postgres" }}
        - { name: peers, containerPort: {{ .Values.peers.port }} }
        {{- end }}
      startupProbe:
        httpGet: { path: /healthz, port: agents, scheme: HTTPS }
        periodSeconds: 2
        timeoutSeconds: 3
        # A first start after an upgrade may have to change the store.
        failureThreshold: 300
      readinessProbe:
        httpGet: { path: /readyz, port: agents, scheme: HTTPS }
        periodSeconds: 2
        timeoutSeconds: 3
        failureThreshold: 2
      livenessProbe:
        httpGet: { path: /healthz, port: agents, scheme: HTTPS }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      lifecycle:
        # Until no balancer leads agents here any more: those that are sent away then come to another gateway.
        preStop: { sleep: { seconds: 5 } }
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: state, mountPath: /var/lib/upstreamproxy }
        {{- include "gateway.mounts" . | nindent 8 }}
  volumes:
    {{- if not (and (include "gateway.isStateful" .) .Values.persistence.enabled) }}
    - { name: state, emptyDir: {} }
    {{- end }}
    {{- include "gateway.volumes" . | nindent 4 }}
{{- end -}}

{{- define "gateway.podIdentity" -}}
serviceAccountName: {{ include "gateway.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  # Otherwise each start would open the keys on the volume to the group, and the gateway refuses keys that others can read.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - { name: {{ . | quote }} }
  {{- end }}
{{- end }}
{{- end -}}

{{- define "gateway.placement" -}}
topologySpreadConstraints:
  {{- if .Values.topologySpreadConstraints }}
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "gateway.selector" $ | nindent 8 }}
  {{- end }}
  {{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "gateway.containerBasics" -}}
image: {{ include "gateway.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* For containers that read the gateway's own configuration, whose sources name these. The Job of the schema reads another. */}}
{{- define "gateway.environment" -}}
env:
  - name: POD_IP
    valueFrom: { fieldRef: { fieldPath: status.podIP } }
  {{- range .Values.secretVariables }}
  - name: {{ .variable | quote }}
    valueFrom: { secretKeyRef: { name: {{ .secretName | quote }}, key: {{ .key | quote }} } }
  {{- end }}
{{- end -}}
