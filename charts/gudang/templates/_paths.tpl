{{/* What is reached from outside, and who answers it. Books, journals and dead letters are for those who are inside. As JSON. */}}
{{- define "gudang.paths" -}}
{
  "product": ["/v1/products"],
  "stock": ["/v1/stock-changes", "/v1/stock", "/v1/reservations", "/v1/transfers"],
  "notification": ["/v1/notifications", "/v1/channels"],
  "analytics": ["/v1/reports"]
}
{{- end -}}
