//! Instances by their tags: `CUSTOM_FILTERS`.

/// A [filter] of `DescribeInstances`.
///
/// [filter]: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ec2Filter {
    /// `tag:<key>`, `tag-key` or another name of a filter.
    pub name: String,
    /// One of them must hold.
    pub values: Vec<String>,
}

/// Reads `name=v1,v2 name=v3`, all of which must hold; the wrong part otherwise.
///
/// # Errors
///
/// A part that is not a name, an equals sign and values.
pub fn ec2_filters(text: &str) -> Result<Vec<Ec2Filter>, String> {
    text.split_whitespace().map(filter).collect()
}

fn filter(text: &str) -> Result<Ec2Filter, String> {
    let wrong = || text.to_owned();
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let values: Vec<_> = values.split(',').map(str::to_owned).collect();
    let named = !name.is_empty() && name != "tag:";
    if !named || values.iter().any(|v| v.is_empty() || v.contains('=')) {
        return Err(wrong());
    }
    Ok(Ec2Filter {
        name: name.to_owned(),
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        let read = ec2_filters("tag:Test=test tag:Test=test1,test2  tag-key=key1").unwrap();
        let said: Vec<_> = read
            .iter()
            .map(|f| format!("{}={}", f.name, f.values.join("|")))
            .collect();
        assert_eq!(
            said,
            ["tag:Test=test", "tag:Test=test1|test2", "tag-key=key1"]
        );
        assert!(ec2_filters(" ").unwrap().is_empty());
        for wrong in ["test", "=a", "tag:a=", "tag:a=b,", "tag:=b", "a=b=c"] {
            assert_eq!(ec2_filters(wrong), Err(wrong.to_owned()));
        }
    }
}
