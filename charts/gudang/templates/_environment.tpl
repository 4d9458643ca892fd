{{/* What programs are told, as environment variables. Every variable that `<program> --help` names stands here, with its value in values.yaml. */}}

{{/*
Where a credential is: (given, own, key, existingKey). `given` is the part of values.yaml that may name somebody else's Secret, whose key is
`existingKey` where the values do not say; else it is in this chart's Secret `own` under `key`.
*/}}
{{- define "gudang.secretKeyRef" -}}
valueFrom:
  secretKeyRef:
    {{- if .given.existingSecret }}
    name: {{ .given.existingSecret }}
    key: {{ .given.existingSecretKey | default .existingKey }}
    {{- else }}
    name: {{ .own }}
    key: {{ .key }}
    {{- end }}
{{- end -}}

{{/* What tells any program of Kafka. */}}
{{- define "gudang.environment.kafka" -}}
{{- $fullname := include "gudang.fullname" . -}}
- name: KAFKA_BOOTSTRAP_SERVERS
  value: {{ include "gudang.bootstrapServers" . | quote }}
- name: KAFKA_TOPIC_PARTITIONS
  value: {{ .Values.kafka.topicPartitions | quote }}
{{- range $name, $value := .Values.kafka.properties }}
- name: KAFKA_{{ $name | upper | replace "." "_" }}
  value: {{ $value | quote }}
{{- end }}
{{- if .Values.kafka.sasl.enabled }}
{{- $secret := .Values.kafka.sasl.existingSecret | default (printf "%s-kafka-login" $fullname) }}
- name: KAFKA_SECURITY_PROTOCOL
  value: SASL_PLAINTEXT
- name: KAFKA_SASL_MECHANISM
  value: PLAIN
- name: KAFKA_SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: username
- name: KAFKA_SASL_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: password
{{- end }}
{{- end -}}

{{/* What is logged. */}}
{{- define "gudang.environment.log" -}}
- name: LOG_FORMAT
  value: {{ .Values.log.format }}
{{- with .Values.log.level }}
- name: RUST_LOG
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Everything that the program of (root, service, role, of) is told; `of` is what is said of the role. */}}
{{- define "gudang.environment" -}}
{{- $root := .root -}}
{{- $service := index $root.Values .service -}}
{{- $secret := printf "%s-%s" (include "gudang.fullname" $root) .service -}}
{{- with concat $root.Values.extraEnv .of.extraEnv }}
{{- toYaml . }}
{{ end -}}
- name: ROLE
  value: {{ .role }}
- name: LISTEN
  value: {{ $root.Values.listen | quote }}
- name: PORT
  value: {{ $service.port | quote }}
{{- with .of.workerThreads }}
- name: WORKER_THREADS
  value: {{ . | quote }}
{{- end }}
{{ include "gudang.environment.log" $root }}
- name: DATABASE_URL
  {{- $given := index $root.Values.postgresql .service }}
  {{- include "gudang.secretKeyRef" (dict "given" $given "own" $secret "key" "database-url") | nindent 2 }}
{{ include "gudang.environment.kafka" $root }}
{{- if and $root.Values.cloudEventsPush (eq .role "api") }}
- name: CLOUDEVENTS_PUSH
  value: "true"
{{- end }}
{{- with $service.kafkaGroupId }}
- name: KAFKA_GROUP_ID
  value: {{ . | quote }}
{{- end }}
{{ include (printf "gudang.environment.%s" .service) (dict "root" $root "secret" $secret) }}
{{- end -}}

{{- define "gudang.environment.product" -}}
{{- $values := .root.Values -}}
- name: STOCK_URL
  value: {{ include "gudang.url" (dict "root" .root "service" "stock") | quote }}
- name: CURRENCY
  value: {{ $values.currency }}
{{- if include "gudang.redisUrl" .root }}
- name: REDIS_URL
  {{- include "gudang.secretKeyRef" (dict "given" $values.redis "own" .secret "key" "redis-url") | nindent 2 }}
{{- end }}
{{- if include "gudang.elasticsearchUrl" .root }}
- name: ELASTICSEARCH_URL
  {{- include "gudang.secretKeyRef" (dict "given" $values.elasticsearch "own" .secret "key" "elasticsearch-url") | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "gudang.environment.stock" -}}
- name: PRODUCT_URL
  value: {{ include "gudang.url" (dict "root" .root "service" "product") | quote }}
- name: STOCK_LANES
  value: {{ .root.Values.stock.lanes | quote }}
{{- end -}}

{{- define "gudang.environment.notification" -}}
{{- $notify := .root.Values.notify -}}
{{ include "gudang.environment.analytics" . }}
- name: NOTIFY_RETRY_SCHEDULE
  value: {{ $notify.retrySchedule | quote }}
- name: NOTIFY_TIMEOUT_SECONDS
  value: {{ $notify.timeoutSeconds | quote }}
{{- with $notify.webhook }}
{{- if or .url .existingSecret }}
- name: NOTIFY_WEBHOOK_URL
  {{- include "gudang.secretKeyRef" (dict "given" . "existingKey" "url" "own" $.secret "key" "webhook-url") | nindent 2 }}
- name: NOTIFY_WEBHOOK_SECRET
  {{- include "gudang.secretKeyRef" (dict "given" . "existingKey" "secret" "own" $.secret "key" "webhook-secret") | nindent 2 }}
- name: NOTIFY_WEBHOOK_ALLOW_PRIVATE
  value: {{ .allowPrivate | quote }}
{{- end }}
{{- end }}
{{- with $notify.email }}
{{- if .to }}
- name: NOTIFY_EMAIL_TO
  value: {{ .to | quote }}
- name: NOTIFY_EMAIL_FROM
  value: {{ .from | quote }}
- name: SMTP_URL
  {{- include "gudang.secretKeyRef" (dict "given" . "existingKey" "smtp-url" "own" $.secret "key" "smtp-url") | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "gudang.environment.analytics" -}}
- name: PRODUCT_URL
  value: {{ include "gudang.url" (dict "root" .root "service" "product") | quote }}
- name: STOCK_URL
  value: {{ include "gudang.url" (dict "root" .root "service" "stock") | quote }}
{{- end -}}

{{/* Where the command line finds the services. */}}
{{- define "gudang.environment.urls" -}}
{{- range $service := list "product" "stock" "notification" "analytics" }}
- name: {{ upper $service }}_URL
  value: {{ include "gudang.url" (dict "root" $ "service" $service) | quote }}
{{- end }}
{{- end -}}
