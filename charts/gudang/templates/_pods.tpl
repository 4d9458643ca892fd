{{/* What every pod of this chart is: Pod Security's "restricted". */}}

{{/* Of a pod of Gudang's. */}}
{{- define "gudang.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Of a container of Gudang's: it writes nothing. */}}
{{- define "gudang.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Of a pod of `dev`, whose image has a user and a group of its own. Its volume is its user's, too. */}}
{{- define "gudang.dev.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .group }}
fsGroup: {{ .user }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "gudang.dev.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What every pod of Gudang's begins with. */}}
{{- define "gudang.pod" -}}
serviceAccountName: {{ include "gudang.serviceAccount" . }}
automountServiceAccountToken: false
# Variables named after Services would be read as settings: KAFKA_PORT.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "gudang.podSecurity" . | nindent 2 }}
{{- end -}}
