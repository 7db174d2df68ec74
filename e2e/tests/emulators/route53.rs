//! The rules that the gate adds to MiniStack's Route 53.

use anyhow::Result;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, RrType};
use aws_sdk_route53::types::{ResourceRecordSet, TagResourceType};
use isthmus_e2e::{Testbed, World};

use super::code;

fn change(action: ChangeAction, name: &str, kind: RrType, value: &str) -> Change {
    let record = ResourceRecord::builder()
        .value(value)
        .build()
        .expect("a record");
    let set = ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .ttl(60)
        .resource_records(record)
        .build();
    Change::builder()
        .action(action)
        .resource_record_set(set.expect("a record set"))
        .build()
        .expect("a change")
}

#[tokio::test]
async fn route_53_has_its_rules() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    let zone = World::zone(&testbed, "example.org").await?;
    let route53 = aws_sdk_route53::Client::new(testbed.sdk());
    let apply = async |changes: Vec<Change>| {
        let batch = ChangeBatch::builder().set_changes(Some(changes)).build();
        let apply = route53.change_resource_record_sets().hosted_zone_id(&zone);
        apply.change_batch(batch.expect("a batch")).send().await
    };
    use ChangeAction::Create;
    let create = |name: &str, kind, value: &str| vec![change(Create, name, kind, value)];

    apply(create("*.Shop.example.org", RrType::A, "192.0.2.1")).await?;
    let listed = route53.list_resource_record_sets().hosted_zone_id(&zone);
    let listed = listed
        .start_record_name("\\052.shop.example.org.")
        .send()
        .await?;
    assert_eq!(
        listed.resource_record_sets()[0].name(),
        "\\052.shop.example.org."
    );

    for (changes, why) in [
        (create("a.other.org", RrType::A, "192.0.2.1"), "outside"),
        (create("xexample.org", RrType::A, "192.0.2.1"), "outside"),
        (
            create("example.org", RrType::Cname, "b.org"),
            "CNAME at the apex",
        ),
        (
            create("*.shop.example.org", RrType::Cname, "b.org"),
            "CNAME beside A",
        ),
        (create("a.example.org", RrType::A, "b.org"), "no address"),
        (create("a.example.org", RrType::Txt, "bare"), "no quotes"),
        (
            create("*.shop.example.org", RrType::A, "192.0.2.2"),
            "there already",
        ),
    ] {
        assert_eq!(code(apply(changes).await), "InvalidChangeBatch", "{why}");
    }
    let many =
        (0..1001).map(|n| change(Create, &format!("n{n}.example.org"), RrType::A, "192.0.2.1"));
    assert_eq!(code(apply(many.collect()).await), "InvalidChangeBatch");

    let tag = aws_sdk_route53::types::Tag::builder()
        .key("team")
        .value("shop")
        .build();
    let tags = route53.change_tags_for_resource().resource_id(&zone);
    let tags = tags
        .resource_type(TagResourceType::Hostedzone)
        .add_tags(tag);
    tags.send().await?;
    let tags = route53.list_tags_for_resources().resource_ids(&zone);
    let tags = tags
        .resource_type(TagResourceType::Hostedzone)
        .send()
        .await?;
    let set = &tags.resource_tag_sets()[0];
    assert_eq!(
        (set.resource_id(), set.tags()[0].value()),
        (Some(zone.as_str()), Some("shop"))
    );
    Ok(())
}
