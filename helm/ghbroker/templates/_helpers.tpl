{{- define "ghbroker.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "ghbroker.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "ghbroker.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "ghbroker.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "ghbroker.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ghbroker.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ghbroker.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "ghbroker.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "ghbroker.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "ghbroker.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "ghbroker.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "ghbroker.claimName" -}}
{{- default (include "ghbroker.fullname" .) .Values.database.volume.existingClaim }}
{{- end }}

{{/* Not empty where callers show certificates, ... */}}
{{- define "ghbroker.certificates" -}}
{{- if ne .Values.auth.require "service_account" }}true{{ end }}
{{- end }}

{{/* ... and where they show ServiceAccount tokens. */}}
{{- define "ghbroker.tokens" -}}
{{- if ne .Values.auth.require "mtls" }}true{{ end }}
{{- end }}

{{/* Not empty where the broker asks the API server for the issuer's keys. */}}
{{- define "ghbroker.asksCluster" -}}
{{- if and (include "ghbroker.tokens" .) .Values.auth.serviceAccount.inCluster }}true{{ end }}
{{- end }}

{{- define "ghbroker.policyConfigMap" -}}
{{- default (printf "%s-policy" (include "ghbroker.fullname" . | trunc 56 | trimSuffix "-")) .Values.policy.existingConfigMap }}
{{- end }}

{{- define "ghbroker.policyKey" -}}
{{- if .Values.policy.existingConfigMap }}{{ .Values.policy.key }}{{ else }}policy.toml{{ end }}
{{- end }}

{{/* The Secrets of further sites: "NAME/app SECRET", one on each line. */}}
{{- define "ghbroker.siteSecrets" -}}
{{- range $name, $site := .Values.sites }}
{{- $secrets := dict "app" (($site.app | default dict).existingSecret) "oauth" "" "webhooks" (($site.webhooks | default dict).existingSecret) }}
{{- with $site.oauth }}
{{- if .clientId }}
{{- $_ := set $secrets "oauth" .existingSecret }}
{{- end }}
{{- end }}
{{- range $kind, $secret := $secrets }}
{{- if $secret }}
{{ $name }}/{{ $kind }} {{ $secret }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What values.schema.json cannot say: all mistakes at once, each with what to set. */}}
{{- define "ghbroker.validate" -}}
{{- $mistakes := list }}
{{- with .Values }}
{{- if not .github.app.issuer }}
{{- $mistakes = append $mistakes "set github.app.issuer to the App's client id" }}
{{- end }}
{{- if not .github.app.existingSecret }}
{{- $mistakes = append $mistakes "set github.app.existingSecret to the Secret that holds the App's private key" }}
{{- end }}
{{- if and .github.oauth.clientId (not .github.oauth.existingSecret) }}
{{- $mistakes = append $mistakes "set github.oauth.existingSecret to the Secret that holds the client secret, or leave github.oauth.clientId empty" }}
{{- end }}
{{- $users := .github.oauth.clientId }}
{{- range $name, $site := .sites }}
{{- if eq $name "default" }}
{{- $mistakes = append $mistakes "name sites.default otherwise: that is the site of github" }}
{{- end }}
{{- $oauth := $site.oauth | default dict }}
{{- $users = or $users $oauth.clientId }}
{{- if not (($site.app | default dict).issuer) }}
{{- $mistakes = append $mistakes (printf "set sites.%s.app.issuer to the App's client id" $name) }}
{{- end }}
{{- if not (($site.app | default dict).existingSecret) }}
{{- $mistakes = append $mistakes (printf "set sites.%s.app.existingSecret to the Secret that holds the App's private key" $name) }}
{{- end }}
{{- if and $oauth.clientId (not $oauth.existingSecret) }}
{{- $mistakes = append $mistakes (printf "set sites.%s.oauth.existingSecret to the Secret that holds the client secret, or leave its clientId empty" $name) }}
{{- end }}
{{- if and (or $site.apiUrl $site.graphqlUrl $site.webUrl) (not (and $site.apiUrl $site.graphqlUrl $site.webUrl)) }}
{{- $mistakes = append $mistakes (printf "set all of sites.%s.apiUrl, graphqlUrl and webUrl, or none for github.com" $name) }}
{{- end }}
{{- if and (($site.webhooks | default dict).existingSecret) (not $.Values.http.enabled) }}
{{- $mistakes = append $mistakes (printf "set http.enabled: the webhooks of sites.%s are served there" $name) }}
{{- end }}
{{- end }}
{{- if and .connect.callbackUrl (not $users) }}
{{- $mistakes = append $mistakes "set github.oauth.clientId: users connect GitHub by the App's OAuth client" }}
{{- end }}
{{- if and .webhooks.existingSecret (not .http.enabled) }}
{{- $mistakes = append $mistakes "set http.enabled: webhooks are served there" }}
{{- end }}
{{- if not .encryption.existingSecret }}
{{- $mistakes = append $mistakes "set encryption.existingSecret to the Secret that holds the encryption keys" }}
{{- end }}
{{- if not .tls.existingSecret }}
{{- $mistakes = append $mistakes "set tls.existingSecret to a Secret with tls.crt, tls.key and, for mTLS, ca.crt: the broker hands out tokens, and listens beyond loopback only with TLS" }}
{{- end }}
{{- if and .policy.rules .policy.existingConfigMap }}
{{- $mistakes = append $mistakes "set policy.rules or policy.existingConfigMap, not both" }}
{{- end }}
{{- if not (or .policy.rules .policy.existingConfigMap) }}
{{- $mistakes = append $mistakes "set policy.rules to the rules of what callers may do, or policy.existingConfigMap to a ConfigMap with them: without a rule nobody may do anything" }}
{{- end }}
{{- if and (ne .auth.require "mtls") (not .auth.serviceAccount.issuer) }}
{{- $mistakes = append $mistakes "set auth.serviceAccount.issuer to the iss of the cluster's ServiceAccount tokens" }}
{{- end }}
{{- if and (ne .auth.require "mtls") (not .auth.serviceAccount.audience) }}
{{- $mistakes = append $mistakes "set auth.serviceAccount.audience to a name that only tokens for this broker have" }}
{{- end }}
{{- if and (eq .database.kind "sqlite") (gt (int .replicaCount) 1) }}
{{- $mistakes = append $mistakes "set replicaCount to 1, or database.kind to postgres: replicas cannot share SQLite" }}
{{- end }}
{{- if and (eq .database.kind "postgres") (not .database.existingSecret) }}
{{- $mistakes = append $mistakes "set database.existingSecret to the Secret that holds the PostgreSQL URL" }}
{{- end }}
{{- if and (or .github.apiUrl .github.graphqlUrl .github.webUrl) (not (and .github.apiUrl .github.graphqlUrl .github.webUrl)) }}
{{- $mistakes = append $mistakes "set all of github.apiUrl, github.graphqlUrl and github.webUrl, or none for github.com" }}
{{- end }}
{{- end }}
{{- if $mistakes }}
{{- fail (printf "the values of ghbroker are not complete:\n- %s\n" (join "\n- " $mistakes)) }}
{{- end }}
{{- end }}
