//! The chart, through the real Helm: what it renders, and what it refuses.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{self, pki::Authority};

/// A Helm that was not built as a release takes itself for Kubernetes 1.20.
const KUBERNETES: &str = "1.34.0";

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/ghbroker")
}

/// Runs `helm WHAT`; `values` is a file of the chart's `ci` folder, `set` are `key=value`.
fn helm(what: &[&str], values: Option<&str>, set: &[&str]) -> Output {
    let program = std::env::var_os("GHBROKER_TEST_HELM").expect(
        "GHBROKER_TEST_HELM must name helm: run `make test`, or leave these tests out with `--skip helm::`",
    );
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    // Nothing of the user's own Helm or cluster may decide what is rendered.
    command
        .env_clear()
        .env("HOME", home.path())
        .args(what)
        .arg(chart())
        .args(["--kube-version", KUBERNETES]);
    if let Some(file) = values {
        command.arg("--values").arg(chart().join("ci").join(file));
    }
    for pair in set {
        command.args(["--set", pair]);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Everything the chart renders, as JSON.
fn rendered(values: &str, set: &[&str]) -> Vec<Value> {
    let output = helm(&["template", "test", "--namespace", "brokers"], Some(values), set);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_saphyr::from_multiple(&text(&output.stdout)).unwrap()
}

/// The one object of a kind, or nothing.
fn find<'a>(objects: &'a [Value], kind: &str) -> Option<&'a Value> {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let first = found.next();
    assert!(found.next().is_none(), "more than one {kind}");
    first
}

fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    find(objects, kind).unwrap_or_else(|| panic!("no {kind} is rendered"))
}

/// What Helm says when it refuses.
fn refusal(values: Option<&str>, set: &[&str]) -> String {
    let output = helm(&["template", "test"], values, set);
    assert!(!output.status.success(), "rendered what it had to refuse");
    text(&output.stderr)
}

fn pod(objects: &[Value]) -> &Value {
    &one(objects, "Deployment")["spec"]["template"]["spec"]
}

fn container(objects: &[Value]) -> &Value {
    let containers = pod(objects)["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// The one ConfigMap with this key, and what it holds there.
fn config_map<'a>(objects: &'a [Value], key: &str) -> (&'a Value, &'a str) {
    let maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
    let mut found = maps.filter_map(|map| Some((map, map["data"][key].as_str()?)));
    let first = found.next().unwrap_or_else(|| panic!("no ConfigMap has {key}"));
    assert!(found.next().is_none(), "more than one ConfigMap has {key}");
    first
}

/// The configuration, read as the broker reads it.
fn config(objects: &[Value]) -> toml::Table {
    config_map(objects, "ghbroker.toml").1.parse().unwrap()
}

fn named<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array().unwrap().iter().find(|item| item["name"] == name)
}

const ALL_VALUES: [&str; 4] =
    ["sqlite-values.yaml", "postgres-values.yaml", "enterprise-values.yaml", "issuer-values.yaml"];

#[test]
fn lints_strictly_with_every_set_of_values() {
    for values in ALL_VALUES {
        let output = helm(&["lint", "--strict"], Some(values), &[]);
        assert!(output.status.success(), "{values}: {}", text(&output.stdout));
    }
}

#[test]
fn every_pod_is_restricted() {
    for values in ALL_VALUES {
        let objects = rendered(values, &[]);
        let pod = pod(&objects);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(
            container(&objects)["securityContext"],
            json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            })
        );
    }
}

#[test]
fn probes_are_native_grpc_on_the_plaintext_health_port() {
    let objects = rendered("sqlite-values.yaml", &[]);
    let container = container(&objects);
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["grpc"]["port"], 50052, "{probe}");
    }
    assert_eq!(container["readinessProbe"]["grpc"]["service"], "");
    let config = config(&objects);
    assert_eq!(config["server"]["health_listen"].as_str(), Some("0.0.0.0:50052"));
    // Only the kubelet has business there.
    assert_eq!(
        one(&objects, "Service")["spec"]["ports"],
        json!([{"name": "grpc", "port": 50051, "targetPort": "grpc"}])
    );
}

#[test]
fn webhooks_have_a_port_of_their_own_that_is_not_there_unasked() {
    let objects = rendered("postgres-values.yaml", &[]);
    assert_eq!(config(&objects)["server"]["http_listen"].as_str(), Some("0.0.0.0:50053"));
    let port = named(&container(&objects)["ports"], "http").unwrap();
    assert_eq!(port["containerPort"], 50053);
    let ports = &one(&objects, "Service")["spec"]["ports"];
    assert_eq!(
        named(ports, "http"),
        Some(json!({"name": "http", "port": 8080, "targetPort": "http"})).as_ref()
    );
    // Who may call is not who may bring webhooks.
    let rules = one(&objects, "NetworkPolicy")["spec"]["ingress"].clone();
    let peer = |namespace| json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}]);
    let rule = |namespace, port| json!({"from": peer(namespace), "ports": [{"port": port, "protocol": "TCP"}]});
    let rules = rules.as_array().unwrap();
    assert!(rules.contains(&rule("portal", "grpc")) && rules.contains(&rule("ingress", "http")));

    let objects = rendered("sqlite-values.yaml", &[]);
    assert!(config(&objects)["server"].get("http_listen").is_none());
    assert!(named(&container(&objects)["ports"], "http").is_none());
    let (code, said) = check("postgres-values.yaml", &[]);
    assert!(code == Some(0) && said.contains("webhooks:    taken, signed\n"), "{said}");
}

#[test]
fn browsers_are_sent_back_to_where_the_values_say() {
    let objects = rendered("enterprise-values.yaml", &[]);
    let connect = config(&objects)["connect"].clone();
    let callback = "https://broker.example.com/github/callback";
    assert_eq!(connect["callback_url"].as_str(), Some(callback));
    assert_eq!(connect["return_urls"][0].as_str(), Some("https://portal.example.com/github/done"));
    let (code, said) = check("enterprise-values.yaml", &[]);
    assert!(code == Some(0) && said.contains(&format!("callback:    {callback}\n")), "{said}");
}

#[test]
fn the_pod_outlives_the_drain() {
    let objects = rendered("postgres-values.yaml", &[]);
    let grace = pod(&objects)["terminationGracePeriodSeconds"].as_u64();
    let sleep = container(&objects)["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    assert!(grace > Some(sleep + 25), "after preStop the broker drains for 25 seconds");
}

#[test]
fn the_start_may_take_longer_than_migrations() {
    let objects = rendered("postgres-values.yaml", &[]);
    let probe = &container(&objects)["startupProbe"];
    let seconds =
        probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap();
    assert!(seconds > 120, "migrations may take 120 seconds, not the {seconds} of the probe");
}

#[test]
fn sqlite_has_one_pod_at_a_time_and_a_volume_that_stays() {
    let objects = rendered("sqlite-values.yaml", &[]);
    let deployment = one(&objects, "Deployment");
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["spec"]["strategy"], json!({"type": "Recreate"}));

    let claim = one(&objects, "PersistentVolumeClaim");
    assert_eq!(claim["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    let data = named(&pod(&objects)["volumes"], "data").unwrap();
    assert_eq!(data["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"]);
    let mount = named(&container(&objects)["volumeMounts"], "data").unwrap();
    let path = mount["mountPath"].as_str().unwrap();
    let config = config(&objects);
    let url = config["database"]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("sqlite://{path}/")), "{url} is not on the volume");
    assert!(find(&objects, "PodDisruptionBudget").is_none());
}

#[test]
fn postgres_rolls_without_a_gap_and_takes_its_url_from_the_secret() {
    let objects = rendered("postgres-values.yaml", &[]);
    let strategy = &one(&objects, "Deployment")["spec"]["strategy"];
    assert_eq!(strategy["rollingUpdate"]["maxUnavailable"], 0);
    let url = named(&container(&objects)["env"], "GHBROKER_DATABASE_URL").unwrap();
    assert_eq!(
        url["valueFrom"]["secretKeyRef"],
        json!({"name": "ghbroker-database", "key": "url"})
    );
    assert!(!config(&objects).contains_key("database"), "the file must not hide the Secret's URL");
    assert!(find(&objects, "PersistentVolumeClaim").is_none());
    assert!(named(&pod(&objects)["volumes"], "data").is_none());

    let selector = &one(&objects, "PodDisruptionBudget")["spec"]["selector"];
    assert_eq!(selector, &one(&objects, "Deployment")["spec"]["selector"]);
}

/// Every path in a configuration.
fn paths(value: &toml::Value) -> Vec<&str> {
    match value {
        toml::Value::String(text) if text.starts_with('/') => vec![text],
        toml::Value::Array(values) => values.iter().flat_map(paths).collect(),
        toml::Value::Table(table) => table.values().flat_map(paths).collect(),
        _ => Vec::new(),
    }
}

/// The folder that a path is in, and the volume that is mounted there.
fn volume<'a>(objects: &'a [Value], file: &str) -> &'a Value {
    let folder = Path::new(file).parent().unwrap();
    let mounts = container(objects)["volumeMounts"].as_array().unwrap();
    let mount = mounts
        .iter()
        .find(|mount| Path::new(mount["mountPath"].as_str().unwrap()) == folder)
        .unwrap_or_else(|| panic!("nothing is mounted for {file}"));
    assert!(mount["subPath"].is_null(), "{file} would not change under a running pod");
    named(&pod(objects)["volumes"], mount["name"].as_str().unwrap()).unwrap()
}

#[test]
fn every_file_of_the_configuration_is_on_a_volume() {
    for values in ALL_VALUES {
        let objects = rendered(values, &[]);
        let config = config(&objects);
        let mut secrets = vec![
            &config["server"]["tls"]["certificate"],
            &config["server"]["tls"]["private_key"],
            &config["github"]["app"]["private_key"],
        ];
        secrets.extend(config["encryption"]["keys"].as_array().unwrap());
        let webhooks = config.get("webhooks");
        secrets.extend(webhooks.iter().flat_map(|w| w["secrets"].as_array().unwrap()));
        secrets.extend(config["github"].get("oauth").map(|oauth| &oauth["client_secret"]));
        for file in secrets {
            let volume = volume(&objects, file.as_str().unwrap());
            assert!(volume["secret"]["secretName"].is_string(), "{values}: {file}");
        }
        for file in paths(&toml::Value::Table(config)) {
            volume(&objects, file);
        }
    }
}

#[test]
fn the_policy_is_the_rules_of_the_values_or_a_config_map_of_ones_own() {
    let objects = rendered("sqlite-values.yaml", &[]);
    let (map, rules) = config_map(&objects, "policy.toml");
    ghbroker::domain::Policy::parse(rules).unwrap();
    let mounted = volume(&objects, config(&objects)["policy"]["file"].as_str().unwrap());
    assert_eq!(mounted["configMap"]["name"], map["metadata"]["name"]);

    let objects = rendered("enterprise-values.yaml", &[]);
    let file = config(&objects)["policy"]["file"].clone();
    assert_eq!(file.as_str(), Some("/etc/ghbroker/policy/rules.toml"));
    assert_eq!(volume(&objects, file.as_str().unwrap())["configMap"]["name"], "broker-policy");
    assert_eq!(find(&objects, "ConfigMap").unwrap()["metadata"]["name"], "broker");
}

#[test]
fn the_clusters_own_keys_are_read_with_its_ca_and_a_token_of_the_pod() {
    let objects = rendered("postgres-values.yaml", &[]);
    let account = &config(&objects)["auth"]["service_account"];
    let token = volume(&objects, account["jwks_token_file"].as_str().unwrap());
    assert_eq!(
        token["projected"]["sources"],
        json!([
            {"serviceAccountToken": {"path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        ])
    );
    let binding = one(&objects, "ClusterRoleBinding");
    assert_eq!(binding["roleRef"]["name"], "system:service-account-issuer-discovery");
    assert_eq!(
        binding["subjects"],
        json!([{"kind": "ServiceAccount", "name": pod(&objects)["serviceAccountName"], "namespace": "brokers"}])
    );

    let objects = rendered("issuer-values.yaml", &[]);
    let account = &config(&objects)["auth"]["service_account"];
    assert!(account.get("jwks_ca").is_none() && account.get("jwks_token_file").is_none());
    assert!(
        named(&pod(&objects)["volumes"], "cluster").is_none(),
        "no token of the cluster is needed"
    );
    assert!(find(&objects, "ClusterRoleBinding").is_none());
}

/// Where the pod would have a path, below another root.
fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// The files that a pod would have, and what the broker says of the rendered configuration with them.
fn check(values: &str, set: &[&str]) -> (Option<i32>, String) {
    let objects = rendered(values, set);
    let config = config(&objects);
    let root = tempfile::tempdir().unwrap();
    let authority = Authority::new("the chart's");
    let server = authority.server();
    let mut text = config_map(&objects, "ghbroker.toml").1.to_owned();
    for path in paths(&toml::Value::Table(config.clone())) {
        let file = below(root.path(), path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let content = match Path::new(path).file_name().unwrap().to_str().unwrap() {
            "tls.crt" => server.certificate.clone(),
            "tls.key" => server.key.clone(),
            "ca.crt" => authority.pem(),
            "private-key.pem" | "key.pem" => harness::app_key().0.clone(),
            // Of a ConfigMap that the chart does not make: any good one.
            "policy.toml" | "rules.toml" if config["policy"]["file"].as_str() == Some(path) => {
                let maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
                maps.filter_map(|map| map["data"]["policy.toml"].as_str()).collect()
            }
            "token" | "client-secret" => String::new(),
            "audit.jsonl" => continue,
            _ => "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned(),
        };
        std::fs::write(&file, content).unwrap();
        text = text.replace(&format!("{path:?}"), &format!("{file:?}"));
    }
    std::fs::write(root.path().join("ghbroker.toml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ghbroker"))
        .env_clear()
        .args(["check-config", "--config"])
        .arg(root.path().join("ghbroker.toml"))
        .output()
        .unwrap();
    (output.status.code(), self::text(&output.stdout) + &self::text(&output.stderr))
}

#[test]
fn the_broker_takes_every_configuration_that_is_rendered() {
    for (values, callers) in [
        ("sqlite-values.yaml", "known by client certificate (SPIFFE id)"),
        ("postgres-values.yaml", "known by ServiceAccount token"),
        ("enterprise-values.yaml", "known by client certificate and ServiceAccount token"),
        ("issuer-values.yaml", "known by ServiceAccount token or client certificate"),
    ] {
        let (code, said) = check(values, &[]);
        assert_eq!(code, Some(0), "{values}: {said}");
        assert!(said.contains(&format!("callers:     {callers}\n")), "{values}: {said}");
    }
    // Numbers this large are floats to Helm, and every limit has its own bounds.
    let (code, said) = check("sqlite-values.yaml", &["limits.connections=1000000"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check("sqlite-values.yaml", &["limits.commits_at_once=8"]);
    assert!(code == Some(78) && said.contains("limits.commits_at_once is unknown"), "{said}");
}

#[test]
fn the_configuration_says_what_the_values_say() {
    let objects = rendered("enterprise-values.yaml", &[]);
    let expected: toml::Table = r#"
        [server]
        listen = "0.0.0.0:50051"
        health_listen = "0.0.0.0:50052"
        http_listen = "0.0.0.0:50053"
        [server.tls]
        certificate = "/etc/ghbroker/tls/tls.crt"
        private_key = "/etc/ghbroker/tls/tls.key"
        client_ca = "/etc/ghbroker/tls/ca.crt"
        [database]
        url = "sqlite:///var/lib/ghbroker/ghbroker.db"
        [encryption]
        keys = ["/etc/ghbroker/encryption/primary"]
        [github]
        mints_per_minute = 180
        api_url = "https://github.example.com/api/v3"
        graphql_url = "https://github.example.com/api/graphql"
        web_url = "https://github.example.com"
        [github.app]
        issuer = "1234"
        private_key = "/etc/ghbroker/app/private-key.pem"
        [github.oauth]
        client_id = "Iv1.example"
        client_secret = "/etc/ghbroker/oauth/client-secret"
        scopes = []
        [sites.cloud]
        app.issuer = "Iv23example"
        app.private_key = "/etc/ghbroker/sites/cloud/app/private-key.pem"
        app.former_issuers = ["77"]
        oauth.client_id = "Iv23example"
        oauth.client_secret = "/etc/ghbroker/sites/cloud/oauth/client-secret"
        oauth.scopes = []
        webhooks.secrets = [
            "/etc/ghbroker/sites/cloud/webhooks/new",
            "/etc/ghbroker/sites/cloud/webhooks/old",
        ]
        [sites.data-residency]
        api_url = "https://api.octocorp.ghe.example"
        graphql_url = "https://api.octocorp.ghe.example/graphql"
        web_url = "https://octocorp.ghe.example"
        app.issuer = "Iv1residency"
        app.private_key = "/etc/ghbroker/sites/data-residency/app/private-key.pem"
        [connect]
        callback_url = "https://broker.example.com/github/callback"
        return_urls = ["https://portal.example.com/github/done"]
        fallback = false
        [auth]
        require = "both"
        [auth.service_account]
        issuer = "https://kubernetes.default.svc.cluster.local"
        audience = "ghbroker"
        jwks_url = "https://kubernetes.default.svc/openid/v1/jwks"
        jwks_ca = "/var/run/secrets/ghbroker/ca.crt"
        jwks_token_file = "/var/run/secrets/ghbroker/token"
        [policy]
        file = "/etc/ghbroker/policy/rules.toml"
        [audit]
        target = "/var/log/ghbroker/audit.jsonl"
        [limits]
        commit_bytes = 16777216
        request_bytes_in_flight = 67108864
        request_bytes_in_flight_per_caller = 33554432
        [commits]
        trailers = true
        [log]
        level = "debug"
        format = "text"
        [tokens]
        revoke_on_shutdown = false
    "#
    .parse()
    .unwrap();
    assert_eq!(config(&objects), expected);
}

#[test]
fn a_value_with_quotes_stays_one_value() {
    let objects = rendered("sqlite-values.yaml", &[r#"github.app.issuer=a"b\\c = [1]#d"#]);
    assert_eq!(config(&objects)["github"]["app"]["issuer"].as_str(), Some(r#"a"b\c = [1]#d"#));
}

#[test]
fn a_changed_configuration_starts_new_pods() {
    let checksum = |set: &[&str]| {
        let objects = rendered("sqlite-values.yaml", set);
        let template = &one(&objects, "Deployment")["spec"]["template"];
        let sum = &template["metadata"]["annotations"]["checksum/config"];
        sum.as_str().unwrap().to_owned()
    };
    let before = checksum(&[]);
    assert_ne!(before, checksum(&["log.level=debug"]));
    assert_eq!(before, checksum(&["service.port=443"]));
    assert_eq!(
        before,
        checksum(&["policy.rules=# none"]),
        "the broker follows the policy by itself"
    );
}

#[test]
fn the_network_policy_lets_in_whom_the_values_name() {
    let objects = rendered("postgres-values.yaml", &[]);
    let spec = &one(&objects, "NetworkPolicy")["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    let callers = &spec["ingress"][0];
    assert_eq!(
        callers["from"],
        json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "portal"}}}])
    );
    assert_eq!(callers["ports"], json!([{"port": "grpc", "protocol": "TCP"}]));
    assert!(find(&rendered("sqlite-values.yaml", &[]), "NetworkPolicy").is_none());
}

#[test]
fn all_missing_values_are_named_at_once() {
    let said = refusal(None, &[]);
    for needed in [
        "set github.app.issuer",
        "set github.app.existingSecret",
        "set encryption.existingSecret",
        "set tls.existingSecret",
        "set policy.rules",
    ] {
        assert!(said.contains(needed), "{needed} is not in: {said}");
    }
}

#[test]
fn values_that_cannot_work_together_are_refused() {
    for (set, expected) in [
        ("replicaCount=2", "set replicaCount to 1, or database.kind to postgres"),
        ("tls.existingSecret=", "set tls.existingSecret"),
        ("policy.rules=", "set policy.rules"),
        ("policy.existingConfigMap=mine", "policy.rules or policy.existingConfigMap, not both"),
        ("auth.require=both,auth.serviceAccount.audience=", "set auth.serviceAccount.audience"),
        ("database.kind=postgres", "set database.existingSecret"),
        ("github.oauth.clientId=Iv1", "set github.oauth.existingSecret"),
        ("github.apiUrl=https://github.example.com", "set all of github.apiUrl"),
        ("sites.ghes.webUrl=https://github.example.com", "set sites.ghes.app.issuer"),
        ("sites.ghes.webUrl=https://github.example.com", "set sites.ghes.app.existingSecret"),
        ("sites.ghes.webUrl=https://github.example.com", "set all of sites.ghes.apiUrl"),
        ("sites.ghes.oauth.clientId=Iv1", "set sites.ghes.oauth.existingSecret"),
        ("sites.ghes.webhooks.existingSecret=x", "set http.enabled: the webhooks of sites.ghes"),
        ("sites.default.app.issuer=Iv1", "name sites.default otherwise"),
    ] {
        let said = refusal(Some("sqlite-values.yaml"), &[set]);
        assert!(said.contains(expected), "{set}: {said}");
    }
}

#[test]
fn the_schema_refuses_what_it_does_not_know() {
    for (set, expected) in [
        ("tls.secretName=x", "additional properties 'secretName' not allowed"),
        ("replicas=2", "additional properties 'replicas' not allowed"),
        ("database.kind=mysql", "'sqlite', 'postgres'"),
        ("auth.require=none", "'mtls', 'service_account', 'either', 'both'"),
        ("tokens.handOutPats=true", "additional properties 'handOutPats' not allowed"),
        ("limits.connections=many", "got string, want integer"),
        ("audit.target=off", "/audit/target"),
        ("replicaCount=many", "got string, want integer"),
        ("image.digest=latest", "/image/digest"),
        ("encryption.keys={a/../b}", "/encryption/keys/0"),
        ("sites.GHES.app.issuer=Iv1", "additional properties 'GHES' not allowed"),
        ("sites.ghes.app.secret=x", "additional properties 'secret' not allowed"),
    ] {
        let said = refusal(Some("sqlite-values.yaml"), &[set]);
        assert!(said.contains(expected), "{set}: {said}");
    }
}

/// The text between two lines of the README.
fn in_readme(from: &str, to: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, rest) = readme.split_once(from).unwrap();
    rest.split_once(to).unwrap().0.to_owned()
}

#[test]
fn the_values_of_the_readme_are_enough_and_its_secrets_are_all() {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("my-values.yaml");
    std::fs::write(&values, in_readme("my-values.yaml <<'YAML'\n", "YAML\n")).unwrap();
    let values = values.to_str().unwrap();
    let (code, said) = check(values, &[]);
    assert_eq!(code, Some(0), "{said}");
    let objects = rendered(values, &[]);
    let commands = in_readme("**Kubernetes**", "my-values.yaml");
    let volumes = pod(&objects)["volumes"].as_array().unwrap();
    let mut secrets: Vec<&str> =
        volumes.iter().filter_map(|volume| volume["secret"]["secretName"].as_str()).collect();
    let url = named(&container(&objects)["env"], "GHBROKER_DATABASE_URL").unwrap();
    secrets.push(url["valueFrom"]["secretKeyRef"]["name"].as_str().unwrap());
    assert_eq!(secrets.len(), 4);
    for secret in secrets {
        let command = format!("kubectl create secret generic {secret} ");
        assert!(commands.contains(&command), "the README does not create {secret}");
    }
}
