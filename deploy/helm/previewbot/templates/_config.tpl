{{/* previewbot.yaml: what the operator says, and over it what only the chart knows. */}}
{{- define "previewbot.config" -}}
{{- $said := deepCopy .Values.config -}}
{{- $hooks := list -}}
{{- range .Values.secrets.webhookKeys -}}{{- $hooks = append $hooks (printf "/etc/previewbot/github/%s" .) -}}{{- end -}}
{{- $github := dict "app_id" (int64 .Values.config.github.app_id) "private_key_file" "/etc/previewbot/github/private-key.pem" "webhook_secret_files" $hooks -}}
{{- $server := dict "host" "0.0.0.0" "port" 8000 -}}
{{- if .Values.ingress.enabled -}}
{{- $_ := set $server "public_url" (printf "%s://%s" (ternary "https" "http" (ne .Values.ingress.tlsSecret "")) .Values.ingress.host) -}}
{{- end -}}
{{- $registry := dict -}}
{{- if .Values.secrets.registry -}}{{- $_ := set $registry "docker_config_file" "/etc/previewbot/registry/.dockerconfigjson" -}}{{- end -}}
{{- if .Values.secrets.pull -}}{{- $_ := set $registry "pull_secret_file" "/etc/previewbot/pull/.dockerconfigjson" -}}{{- end -}}
{{- if .Values.registryCertificates -}}{{- $_ := set $registry "ca_file" "/etc/previewbot/certificates/ca.crt" -}}{{- end -}}
{{- $buildkit := dict -}}
{{- if .Values.secrets.buildkit -}}
{{- $buildkit = dict "tls_ca_file" "/etc/previewbot/buildkit/ca.pem" "tls_certificate_file" "/etc/previewbot/buildkit/cert.pem" "tls_key_file" "/etc/previewbot/buildkit/key.pem" -}}
{{- end -}}
{{- if .Values.secrets.pages -}}{{- $_ := set $server "pages_token_file" "/etc/previewbot/pages/token" -}}{{- end -}}
{{- $vault := dict -}}
{{- if .Values.secrets.vault -}}{{- $_ := set $vault "key_file" "/etc/previewbot/vault/key" -}}{{- end -}}
{{- $kubernetes := dict -}}
{{- if .Values.secrets.certificate -}}
{{- $kubernetes = dict "tls_certificate_file" "/etc/previewbot/certificate/tls.crt" "tls_key_file" "/etc/previewbot/certificate/tls.key" -}}
{{- end -}}
{{- $own := dict "kubernetes" $kubernetes "secrets" $vault "instance" .Values.instance "runtime" "kubernetes" "github" $github "server" $server "previews" (dict "domain" .Values.domain) "storage" (dict "folder" "/var/lib/previewbot") "registry" $registry "buildkit" $buildkit -}}
{{- /* What the operator says of the public address wins: a proxy may end TLS before the Ingress. */ -}}
{{- with .Values.config.server -}}{{- $_ := set $own "server" (merge (deepCopy .) $server) -}}{{- end -}}
{{- mergeOverwrite $said $own | toYaml -}}
{{- end -}}

{{/* What no schema can tell in a sentence that a person would understand. */}}
{{- define "previewbot.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.secrets.database) -}}
{{- fail (printf "replicas is %d, and SQLite serves one previewbot alone: name a Secret with the URL of a PostgreSQL in secrets.database, or set replicas to 1" (int .Values.replicas)) -}}
{{- end -}}
{{- if ne .Values.gateway (not (empty (dig "kubernetes" "gateway" nil .Values.config))) -}}
{{- fail "gateway and config.kubernetes.gateway belong together: set both, or none" -}}
{{- end -}}
{{- if and .Values.gateway .Values.secrets.certificate -}}
{{- fail "secrets.certificate is for Ingresses; the certificate of a Gateway is its listener's: name it there (tls.certificateRefs)" -}}
{{- end -}}
{{- if and .Values.ingress.pages (not .Values.secrets.pages) -}}
{{- fail "ingress.pages leads to pages that open with a token alone: name its Secret in secrets.pages" -}}
{{- end -}}
{{- end -}}

{{/* The pod that BuildKit is, as {pod, namespace}; empty where it is reached otherwise. */}}
{{- define "previewbot.buildkitPod" -}}
{{- $address := dig "buildkit" "address" "" .Values.config -}}
{{- if hasPrefix "kube-pod://" $address -}}
{{- $pod := regexReplaceAll "^kube-pod://([^/?]+).*$" $address "${1}" -}}
{{- $namespace := regexFind "[?&]namespace=[^&]+" $address | trimPrefix "?" | trimPrefix "&" | trimPrefix "namespace=" -}}
{{- if not $namespace -}}
{{- fail (printf "config.buildkit.address is %s, and nobody says where that pod is: kube-pod://POD?namespace=NAME" $address) -}}
{{- end -}}
{{- dict "pod" $pod "namespace" $namespace | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* The annotations of routes that the configuration asks for, as a map that the admission policy compares with. */}}
{{- define "previewbot.remarks" -}}
{{- $remarks := deepCopy (dig "kubernetes" "ingress_annotations" dict .Values.config) -}}
{{- with dig "kubernetes" "cluster_issuer" "" .Values.config -}}
{{- $_ := set $remarks "cert-manager.io/cluster-issuer" . -}}
{{- end -}}
{{- toJson $remarks -}}
{{- end -}}
