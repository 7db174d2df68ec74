//! The testbed is what it says it is: the other tests lean on it.

use anyhow::Result;
use isthmus_e2e::{EmulatorSettings, Testbed, World, http};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Node, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Resource};
use serde::de::DeserializeOwned;

async fn names<K>(testbed: &Testbed) -> Result<Vec<String>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let objects = Api::<K>::all(testbed.kube());
    let listed = objects.list(&ListParams::default()).await?;
    Ok(listed.items.iter().map(ResourceExt::name_any).collect())
}

#[tokio::test]
async fn the_world_stands() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let world = World::create(&testbed).await?;
    assert_eq!(names::<Node>(&testbed).await?, ["node-1", "node-2"]);
    assert!(testbed.gate.calls().is_empty(), "set-up is not recorded");

    let ec2 = aws_sdk_ec2::Client::new(testbed.sdk());
    let tables = ec2.describe_route_tables();
    let dmz = aws_sdk_ec2::types::Filter::builder()
        .name("tag:Type")
        .values("dmz");
    let tables = tables.filters(dmz.build()).send().await?;
    assert_eq!(tables.route_tables().len(), 3);
    let path = "latest/meta-data/network/interfaces/macs/02:00:00:00:00:01/vpc-id";
    let (_, vpc) = http::get(&format!("{}/{path}", testbed.imds.url())).await?;
    assert_eq!(vpc, world.vpc);
    Ok(())
}

const OBJECTS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
---
apiVersion: example.org/v1
kind: Thing
metadata: {name: thing, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: held, namespace: shop, finalizers: [example.org/nobody]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  nodeName: node-1
  containers: [{name: web, image: web}]
status: {phase: Running, podIP: 127.0.1.1}
---
apiVersion: v1
kind: Event
metadata: {name: something, namespace: shop}
involvedObject: {kind: Pod, name: web, namespace: shop}
reason: Something
message: Something has happened.
type: Normal
";

#[tokio::test]
async fn a_wipe_leaves_nothing() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    World::create(&testbed).await?;
    testbed.apply_yaml(OBJECTS).await?;
    let pod: Pod = Api::namespaced(testbed.kube(), "shop").get("web").await?;
    let address = pod.status.and_then(|status| status.pod_ip);
    assert_eq!(
        address.as_deref(),
        Some("127.0.1.1"),
        "its status is applied"
    );
    let settings = EmulatorSettings {
        nat_failure: Some(("InternalError".into(), "never again".into())),
        ..EmulatorSettings::default()
    };
    testbed.emulators().configure(&settings).await?;
    testbed.imds.set("meta-data/own", "value");

    testbed.wipe().await?;

    assert!(
        names::<CustomResourceDefinition>(&testbed)
            .await?
            .is_empty()
    );
    assert!(names::<Pod>(&testbed).await?.is_empty());
    assert!(names::<Node>(&testbed).await?.is_empty());
    assert!(names::<Event>(&testbed).await?.is_empty());
    assert!(!names::<ConfigMap>(&testbed).await?.contains(&"held".into()));
    assert!(!names::<Namespace>(&testbed).await?.contains(&"shop".into()));
    let zones = aws_sdk_route53::Client::new(testbed.sdk());
    assert!(
        zones
            .list_hosted_zones()
            .send()
            .await?
            .hosted_zones
            .is_empty()
    );
    let certificates = aws_sdk_acm::Client::new(testbed.sdk());
    let certificates = certificates.list_certificates().send().await?;
    assert!(certificates.certificate_summary_list().is_empty());
    let ec2 = aws_sdk_ec2::Client::new(testbed.sdk());
    let vpcs = ec2.describe_vpcs().send().await?;
    assert_eq!(vpcs.vpcs().len(), 1, "the default one");
    let (status, _) = http::get(&format!("{}/latest/meta-data/own", testbed.imds.url())).await?;
    assert_eq!(status, 404);

    // And the same again, as if for the first time.
    testbed.apply_yaml(OBJECTS).await?;
    Ok(())
}

#[tokio::test]
async fn two_tests_do_not_see_each_other() -> Result<()> {
    let (one, other) = tokio::try_join!(Testbed::acquire(), Testbed::acquire())?;
    World::create(&one).await?;
    assert!(names::<Node>(&other).await?.is_empty());
    assert_ne!(one.gate.url(), other.gate.url());
    Ok(())
}

#[tokio::test]
async fn the_metadata_service_answers_as_an_instance_does() -> Result<()> {
    use hyper::Method;
    let testbed = Testbed::acquire().await?;
    let url = |path: &str| format!("{}/latest/{path}", testbed.imds.url());
    let az = http::get(&url("meta-data/placement/availability-zone/")).await?;
    assert_eq!(az, (hyper::StatusCode::OK, "eu-central-1a".into()), "v1");

    testbed.imds.require_token(true);
    let role = url("meta-data/iam/security-credentials/");
    assert_eq!(http::get(&role).await?.0, 401);
    let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
    let (_, token) = http::send(Method::PUT, &url("api/token"), &ttl, String::new()).await?;
    let header = [("x-aws-ec2-metadata-token", token.as_str())];
    let (_, name) = http::send(Method::GET, &role, &header, String::new()).await?;
    assert_eq!(name, "node-role", "v2");
    let folder = url("meta-data/placement");
    let (_, listing) = http::send(Method::GET, &folder, &header, String::new()).await?;
    assert_eq!(listing, "availability-zone\nregion");
    let asked: Vec<_> = testbed
        .imds
        .requests()
        .iter()
        .map(|asked| asked.status)
        .collect();
    assert_eq!(asked, [200, 401, 200, 200, 200]);
    Ok(())
}

#[tokio::test]
async fn the_sdk_takes_the_region_and_credentials_of_the_instance() -> Result<()> {
    use aws_credential_types::provider::ProvideCredentials as _;
    let testbed = Testbed::acquire().await?;
    let http = testbed.sdk().http_client().expect("a client");
    let config = aws_config::provider_config::ProviderConfig::without_region();
    let client = aws_config::imds::Client::builder()
        .configure(&config.with_http_client(http))
        .endpoint(testbed.imds.url())
        .expect("a URL")
        .build();
    let provider = aws_config::imds::credentials::ImdsCredentialsProvider::builder()
        .imds_client(client.clone())
        .build();
    let credentials = provider.provide_credentials().await?;
    assert_eq!(credentials.access_key_id(), "ASIATESTBEDNODE00000");
    let region = client.get("/latest/meta-data/placement/region").await?;
    assert_eq!(region.as_ref(), "eu-central-1");
    Ok(())
}
