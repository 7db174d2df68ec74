//! Lists in pages of one: nobody counts for missing who is on the second.

use anyhow::Result;
use isthmus_e2e::{Authority, EmulatorSettings, Testbed, World};

use super::certificates::upload;
use super::reading::hostnames;
use super::{idle, ingress, well};

/// Every list that AWS gives in pages, and how many of them there are at least.
const LISTS: [(&str, usize); 6] = [
    ("ListCertificates", 2),
    ("ListServerCertificates", 2),
    ("DescribeLoadBalancers", 2),
    ("DescribeTargetGroups", 2),
    ("DescribeListeners", 4),
    // Three certificates on one listener and one on the other.
    ("DescribeListenerCertificates", 4),
];

#[tokio::test]
async fn every_page_of_every_list_is_read() -> Result<()> {
    let testbed = Testbed::acquire().await?;
    World::create(&testbed).await?;
    let authority = Authority::new("the company's own")?;
    for name in ["old", "older"] {
        upload(&testbed, &authority, name, "yes").await?;
    }
    let hosts = ["shop.example.org", "old.example.com", "older.example.com"];
    let shared = ingress("shared", &hosts, &[]);
    let alone = ingress("alone", &["blog.example.org"], &[("shared", "false")]);
    testbed.apply_yaml(&[shared, alone].concat()).await?;
    let settings = EmulatorSettings {
        list_page_size: 1,
        ..EmulatorSettings::default()
    };
    testbed.emulators().configure(&settings).await?;
    well(&testbed, &["--deny-internal-domains"]).await?;
    for name in ["shared", "alone"] {
        assert_eq!(hostnames(&testbed, name).await?.len(), 1, "{name}");
    }

    idle(&testbed, &["--deny-internal-domains"]).await?;
    for (list, least) in LISTS {
        let pages = testbed.gate.calls_of(list).len();
        assert!(pages >= least, "{list}: {pages} pages");
    }
    Ok(())
}
