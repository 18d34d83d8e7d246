{{- define "previewbot.account" -}}
{{ .Values.serviceAccount.name | default .Release.Name }}
{{- end -}}
{{- define "previewbot.selector" -}}
app.kubernetes.io/name: previewbot
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- define "previewbot.labels" -}}
{{ include "previewbot.selector" . }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}
{{- define "previewbot.head" -}}
name: {{ .Release.Name }}
namespace: {{ .Release.Namespace }}
labels: {{- include "previewbot.labels" . | nindent 2 }}
{{- end -}}
{{- define "previewbot.claim" -}}
{{ .Values.persistence.existingClaim | default .Release.Name }}
{{- end -}}
{{- define "previewbot.image" -}}
{{- $image := .Values.image -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end -}}
