use std::collections::{BTreeMap, BTreeSet};

use ingress_core::Arn;

use super::{Elb, from_tags, gone_is_done, to_tags};
use crate::aws::{Result, Tagging, Tags};
use crate::error::AwsError;

/// Resources in one call of DescribeTags.
const BATCH: usize = 20;

impl Tagging for Elb {
    async fn tags(&self, resources: &[Arn]) -> Result<BTreeMap<Arn, Tags>> {
        let mut found = BTreeMap::new();
        for batch in resources.chunks(BATCH) {
            match self.tags_of(batch).await {
                Ok(tags) => found.extend(tags),
                // One that has gone since it was listed fails the whole batch.
                Err(error) if error.is_not_found() => {
                    for one in batch {
                        match self.tags_of(std::slice::from_ref(one)).await {
                            Err(error) if error.is_not_found() => {}
                            other => found.extend(other?),
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn add_tags(&self, resource: &Arn, tags: &Tags) -> Result<()> {
        self.limits.change.turn().await;
        self.client
            .add_tags()
            .resource_arns(resource.as_str())
            .set_tags(Some(to_tags(tags)))
            .send()
            .await
            .map_err(AwsError::of("AddTags"))?;
        Ok(())
    }

    async fn remove_tags(&self, resource: &Arn, keys: &BTreeSet<String>) -> Result<()> {
        self.limits.change.turn().await;
        let removed = self
            .client
            .remove_tags()
            .resource_arns(resource.as_str())
            .set_tag_keys(Some(keys.iter().cloned().collect()))
            .send()
            .await
            .map_err(AwsError::of("RemoveTags"));
        gone_is_done(removed.map(drop))
    }
}

impl Elb {
    async fn tags_of(&self, resources: &[Arn]) -> Result<Vec<(Arn, Tags)>> {
        self.limits.describe.turn().await;
        let answer = self
            .client
            .describe_tags()
            .set_resource_arns(Some(resources.iter().map(ToString::to_string).collect()))
            .send()
            .await
            .map_err(AwsError::of("DescribeTags"))?;
        let tagged = answer.tag_descriptions().iter().filter_map(|description| {
            Some((
                Arn::new(description.resource_arn()?),
                from_tags(description.tags()),
            ))
        });
        Ok(tagged.collect())
    }
}
