//! Numbers of a real cluster: calls at rest, calls for one change, five hundred
//! Ingresses at once, one that is poisoned.

use std::time::Duration;

use anyhow::Result;

use crate::measure::{
    a_full_zone, at_rest, five_hundred_for_three_owners, one_change, one_poisoned_of_five_hundred,
};
use crate::stage::{BINARY, SOURCE, Stage};

#[tokio::test]
async fn ten_thousand_records_cost_two_calls_a_minute_and_a_change_three() -> Result<()> {
    let stage = Stage::new().await?;
    a_full_zone(&stage, 40).await?;
    let rest = at_rest(&stage).await?;
    let said = rest.stderr.contains("has 10000 of 10000 record sets");
    assert!(said, "{}", rest.stderr);
    let full = "isthmus_dns_fullest_zone_ratio 1\n";
    assert!(rest.metrics.contains(full), "{}", rest.metrics);
    // Two full reads of 34 pages.
    assert!((70..=72).contains(&rest.calls), "{rest:?}");
    assert!(rest.calls_a_minute() <= 2.0, "{rest:?}");
    assert_eq!(rest.writes, 0);

    let args = [&SOURCE[..], &["--policy=sync", "--aws-api-rate=50"]].concat();
    let mut process = stage.testbed.spawn(BINARY, &args).await?;
    process.wait_ready().await?;
    let change = one_change(&stage, 0).await?;
    assert!(change.calls <= 3, "{change:?}");
    Ok(())
}

#[tokio::test]
async fn five_hundred_ingresses_for_three_owners_are_few_batches_and_never_throttled() -> Result<()>
{
    let burst = five_hundred_for_three_owners().await?;
    let fewest = |(made, fewest): &(usize, usize)| made == fewest;
    assert!(burst.batches.iter().all(fewest), "{burst:?}");
    assert_eq!(burst.throttled, 0);
    assert!(burst.most_in_a_second <= 5, "{burst:?}");
    // Each keeps to its share, a fifth of four calls a second: three of them are far
    // below five. A call that was held up may be close to the next, but no more than one.
    for starts in &burst.starts {
        assert!(starts.len() > 5, "{burst:?}");
        for (first, from) in starts.iter().enumerate() {
            for (between, to) in starts[first + 1..].iter().enumerate() {
                let least = Duration::from_millis(1250) * u32::try_from(between)?;
                assert!(*to - *from >= least, "{between} between two of {burst:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_poisoned_record_of_five_hundred_costs_itself_only() -> Result<()> {
    let silent = ["Invalid Resource Record: FATAL problem: it is wrong"];
    let telling = [
        "RRSet of type A with DNS name app-123.example.org. is wrong",
        "and another thing",
    ];
    // Four batches without it, and halves until it stands alone.
    for (words, most) in [(&silent[..], 3 + 18), (&telling[..], 3 + 2)] {
        let poisoned = one_poisoned_of_five_hundred(words).await?;
        assert_eq!(poisoned.published, 499, "after the first pass");
        assert!(poisoned.batches <= most, "{poisoned:?}");
        let told: Vec<_> = poisoned.events.iter().collect();
        assert!(told.len() == 1 && *told[0].1 == 1, "{told:?}");
        assert!(told[0].0.contains(&words.join("; ")), "{told:?}");
        assert!(
            poisoned.retries <= 1 && poisoned.calls <= 2,
            "nothing beyond its own retry: {poisoned:?}"
        );
    }
    Ok(())
}
