{{/* What the servers of `dev` have in common: a Service and a StatefulSet of one pod, whose containers are `(root, name, port, user, group, mount)`'s own. */}}

{{- define "gudang.dev.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "gudang.fullname" .root }}-{{ .name }}
  labels:
    {{- include "gudang.dev.labels" . | nindent 4 }}
spec:
  # A server that starts finds itself by this name.
  publishNotReadyAddresses: {{ .early | default false }}
  selector:
    {{- include "gudang.dev.selector" . | nindent 4 }}
  ports:
    - name: {{ .name }}
      port: {{ .port }}
      targetPort: {{ .name }}
{{- end -}}

{{- define "gudang.dev.metadata" -}}
name: {{ include "gudang.fullname" .root }}-{{ .name }}
labels:
  {{- include "gudang.dev.labels" . | nindent 2 }}
annotations:
  gudang/not-for-production: One pod, a password that everybody knows, and data that goes with the release
{{- end -}}

{{- define "gudang.dev.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "gudang.dev.podSecurity" . | nindent 2 }}
{{- if not .root.Values.dev.persistence.enabled }}
volumes:
  - name: data
    emptyDir: {}
{{- end }}
{{- end -}}

{{/* Volumes that go when the release goes. */}}
{{- define "gudang.dev.volumes" -}}
{{- with .root.Values.dev.persistence }}
{{- if .enabled }}
persistentVolumeClaimRetentionPolicy:
  whenDeleted: Delete
  whenScaled: Retain
volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests:
          storage: {{ .size }}
{{- end }}
{{- end }}
{{- end -}}
