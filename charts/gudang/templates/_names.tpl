{{/* What things are called, and by which labels they are found. */}}

{{- define "gudang.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that every name that is made of it has fewer than 63. */}}
{{- define "gudang.fullname" -}}
{{- $name := include "gudang.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change, of (root, component). */}}
{{- define "gudang.selector" -}}
app.kubernetes.io/name: {{ include "gudang.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of a pod of (root, component). No versions: those would restart pods that are the same but for them. */}}
{{- define "gudang.podLabels" -}}
{{ include "gudang.selector" . }}
app.kubernetes.io/part-of: gudang
{{- end -}}

{{/* All labels of (root, component). */}}
{{- define "gudang.labels" -}}
{{ include "gudang.selector" . }}
{{ include "gudang.commonLabels" .root }}
{{- end -}}

{{- define "gudang.commonLabels" -}}
app.kubernetes.io/part-of: gudang
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels that never change, of a server of `dev`: (root, name). They are not those of Gudang's own pods. */}}
{{- define "gudang.dev.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: dev-server
{{- end -}}

{{- define "gudang.dev.podLabels" -}}
{{ include "gudang.dev.selector" . }}
app.kubernetes.io/part-of: gudang
{{- end -}}

{{- define "gudang.dev.labels" -}}
{{ include "gudang.dev.selector" . }}
{{ include "gudang.commonLabels" .root }}
{{- end -}}

{{- define "gudang.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "gudang.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The image of (root, image). */}}
{{- define "gudang.image" -}}
{{- $repository := .image.repository -}}
{{- with .root.Values.image.registry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Where (root, service) is found by other pods. */}}
{{- define "gudang.url" -}}
{{- $service := index .root.Values .service -}}
{{- $service.url | default (printf "http://%s-%s:%v" (include "gudang.fullname" .root) .service $service.port) -}}
{{- end -}}

{{/* What is said of a role, `of` (root, service, role): the service's own words over those that all services share. As YAML. */}}
{{- define "gudang.role" -}}
{{- $own := index (index .root.Values .service) .role -}}
{{- mergeOverwrite (deepCopy (index .root.Values .role)) (deepCopy $own) | toYaml -}}
{{- end -}}

{{/* The topics that each service consumes, as the contract says. As JSON. */}}
{{- define "gudang.consumed" -}}
{"product": ["stock-changes"], "stock": ["product-events"], "notification": ["product-events", "stock-changes"], "analytics": ["product-events", "stock-changes"]}
{{- end -}}

{{- define "gudang.group" -}}
{{- (index .root.Values .service).kafkaGroupId | default (printf "gudang-%s" .service) -}}
{{- end -}}
