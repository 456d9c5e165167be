//! The chart, through the real Helm: what it renders, and what it refuses.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

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

/// The configuration in the ConfigMap, read as the broker reads it.
fn config(objects: &[Value]) -> toml::Table {
    let map = one(objects, "ConfigMap");
    let text = map["data"]["ghbroker.toml"].as_str().unwrap();
    text.parse().unwrap()
}

fn named<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array().unwrap().iter().find(|item| item["name"] == name)
}

const ALL_VALUES: [&str; 3] =
    ["sqlite-values.yaml", "postgres-values.yaml", "enterprise-values.yaml"];

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

#[test]
fn every_file_of_the_configuration_is_on_a_mounted_secret() {
    for values in ALL_VALUES {
        let objects = rendered(values, &[]);
        let config = config(&objects);
        let mut files = vec![
            &config["server"]["tls"]["certificate"],
            &config["server"]["tls"]["private_key"],
            &config["server"]["tls"]["client_ca"],
            &config["github"]["app"]["private_key"],
        ];
        files.extend(config["encryption"]["keys"].as_array().unwrap());
        files.extend(config["github"].get("oauth").map(|oauth| &oauth["client_secret"]));
        for file in files {
            let folder = Path::new(file.as_str().unwrap()).parent().unwrap();
            let mounts = container(&objects)["volumeMounts"].as_array().unwrap();
            let mount = mounts
                .iter()
                .find(|mount| Path::new(mount["mountPath"].as_str().unwrap()) == folder)
                .unwrap_or_else(|| panic!("{values}: nothing is mounted for {file}"));
            let volume = named(&pod(&objects)["volumes"], mount["name"].as_str().unwrap()).unwrap();
            assert!(volume["secret"]["secretName"].is_string(), "{values}: {file}");
        }
    }
}

#[test]
fn the_configuration_says_what_the_values_say() {
    let objects = rendered("enterprise-values.yaml", &[]);
    let expected: toml::Table = r#"
        [server]
        listen = "0.0.0.0:50051"
        health_listen = "0.0.0.0:50052"
        [server.tls]
        certificate = "/etc/ghbroker/tls/tls.crt"
        private_key = "/etc/ghbroker/tls/tls.key"
        client_ca = "/etc/ghbroker/tls/ca.crt"
        [database]
        url = "sqlite:///var/lib/ghbroker/ghbroker.db"
        [encryption]
        keys = ["/etc/ghbroker/encryption/primary"]
        [github]
        api_url = "https://github.example.com/api/v3"
        graphql_url = "https://github.example.com/api/graphql"
        web_url = "https://github.example.com"
        [github.app]
        issuer = "1234"
        private_key = "/etc/ghbroker/app/private-key.pem"
        [github.oauth]
        client_id = "Iv1.example"
        client_secret = "/etc/ghbroker/oauth/client-secret"
        [tokens]
        hand_out_pats = true
        [log]
        level = "debug"
        format = "text"
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
    ] {
        assert!(said.contains(needed), "{needed} is not in: {said}");
    }
}

#[test]
fn values_that_cannot_work_together_are_refused() {
    for (set, expected) in [
        ("replicaCount=2", "set replicaCount to 1, or database.kind to postgres"),
        ("tls.existingSecret=", "set tls.existingSecret"),
        ("database.kind=postgres", "set database.existingSecret"),
        ("github.oauth.clientId=Iv1", "set github.oauth.existingSecret"),
        ("github.apiUrl=https://github.example.com", "set all of github.apiUrl"),
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
        ("replicaCount=many", "got string, want integer"),
        ("image.digest=latest", "/image/digest"),
        ("encryption.keys={a/../b}", "/encryption/keys/0"),
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
    let objects = rendered(values.to_str().unwrap(), &[]);
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
