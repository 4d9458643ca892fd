{{/* Where the servers are: those of `dev`, or those that the values name. */}}

{{/* Whether a server of `dev` is there: (root, server). Empty when it is not. */}}
{{- define "gudang.dev" -}}
{{- if and .root.Values.dev.enabled (index .root.Values.dev .server).enabled -}}true{{- end -}}
{{- end -}}

{{- define "gudang.bootstrapServers" -}}
{{- if include "gudang.dev" (dict "root" . "server" "kafka") -}}
{{- printf "%s-kafka:9092" (include "gudang.fullname" .) -}}
{{- else -}}
{{- .Values.kafka.bootstrapServers -}}
{{- end -}}
{{- end -}}

{{/* A database's URL as far as this chart knows it: (root, service). Empty when a Secret of somebody else's has it. */}}
{{- define "gudang.databaseUrl" -}}
{{- if include "gudang.dev" (dict "root" .root "server" "postgresql") -}}
{{- $password := .root.Values.dev.postgresql.password | urlquery -}}
{{- printf "postgresql://gudang:%s@%s-postgresql:5432/%s" $password (include "gudang.fullname" .root) .service -}}
{{- else -}}
{{- (index .root.Values.postgresql .service).url -}}
{{- end -}}
{{- end -}}

{{/* Redis' URL, or the Secret that has it; empty: there is none. */}}
{{- define "gudang.redisUrl" -}}
{{- if include "gudang.dev" (dict "root" . "server" "redis") -}}
{{- printf "redis://%s-redis:6379" (include "gudang.fullname" .) -}}
{{- else -}}
{{- .Values.redis.existingSecret | default .Values.redis.url -}}
{{- end -}}
{{- end -}}

{{/* Elasticsearch's URL, or the Secret that has it; empty: there is none. */}}
{{- define "gudang.elasticsearchUrl" -}}
{{- if include "gudang.dev" (dict "root" . "server" "elasticsearch") -}}
{{- printf "http://%s-elasticsearch:9200" (include "gudang.fullname" .) -}}
{{- else -}}
{{- .Values.elasticsearch.existingSecret | default .Values.elasticsearch.url -}}
{{- end -}}
{{- end -}}
