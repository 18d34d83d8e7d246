{{- define "previewbot.account" -}}
{{ .Values.serviceAccount.name | default .Release.Name }}
{{- end -}}
{{- define "previewbot.labels" -}}
app.kubernetes.io/name: previewbot
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}
