//! Routing policies as values.

use std::fmt;

/// How Route 53 chooses among record sets of one name and type
/// ([routing policies](https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy.html)).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Routing {
    /// There is one record set.
    #[default]
    Simple,
    /// In proportion to weights of 0 to 255.
    Weighted(u8),
    /// By latency to an AWS region.
    Latency(String),
    /// The primary while it is healthy.
    Failover(Failover),
    /// By where the question comes from.
    Geolocation(Geolocation),
    /// By distance.
    Geoproximity(Geoproximity),
    /// Up to eight healthy ones at random.
    MultiValue,
    /// By the network that the question comes from.
    Cidr {
        /// The CIDR collection.
        collection: String,
        /// The location in it.
        location: String,
    },
}

/// The side of a failover pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failover {
    /// Answered while healthy.
    Primary,
    /// Answered otherwise.
    Secondary,
}

impl Failover {
    /// The word in the API and in the annotation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
        }
    }
}

/// A place: a continent, or a country with or without a subdivision; `*` as the country is everywhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Geolocation {
    /// Two letters.
    pub continent: Option<String>,
    /// Two letters, or `*`.
    pub country: Option<String>,
    /// One to three characters.
    pub subdivision: Option<String>,
}

/// A point and how far it reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Geoproximity {
    /// An AWS region.
    pub region: Option<String>,
    /// A local zone group.
    pub local_zone_group: Option<String>,
    /// Latitude and longitude, as written.
    pub coordinates: Option<(String, String)>,
    /// -99 to 99.
    pub bias: i32,
}

impl Routing {
    /// Whether Route 53 takes both as policies of one record set, so that one can be changed into the other in place.
    #[must_use]
    pub fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple => f.write_str("simple"),
            Self::Weighted(weight) => write!(f, "weight {weight}"),
            Self::Latency(region) => write!(f, "latency {region}"),
            Self::Failover(side) => write!(f, "failover {}", side.as_str()),
            Self::Geolocation(place) => {
                let parts = [&place.continent, &place.country, &place.subdivision];
                let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
                write!(f, "geolocation {}", parts.join("-"))
            }
            Self::Geoproximity(point) => {
                f.write_str("geoproximity ")?;
                if let Some(place) = point.region.as_ref().or(point.local_zone_group.as_ref()) {
                    f.write_str(place)?;
                }
                if let Some((latitude, longitude)) = &point.coordinates {
                    write!(f, "{latitude},{longitude}")?;
                }
                write!(f, " bias {}", point.bias)
            }
            Self::MultiValue => f.write_str("multivalue"),
            Self::Cidr {
                collection,
                location,
            } => write!(f, "cidr {collection}/{location}"),
        }
    }
}
