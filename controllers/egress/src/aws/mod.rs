//! EC2 in the nouns of this controller.

mod convert;
mod pace;
mod read;
mod rehearse;
mod write;

use std::future::Future;

use egress_core::{Observed, Tags, Target, Vpc};
use ipnet::Ipv4Net;

use crate::error::{Ec2Error, ObserveError};

pub(crate) use read::SdkEc2;

/// What is needed of EC2.
pub(crate) trait Ec2: Send + Sync {
    /// The VPCs of the region, or the one of this id.
    fn vpcs(
        &self,
        id: Option<&str>,
    ) -> impl Future<Output = Result<Vec<FoundVpc>, ObserveError>> + Send;

    /// Everything in a VPC that matters, and all Elastic IPs: five calls, and more
    /// where there is more than one page. It is whole or an error.
    fn observe(&self, vpc: Vpc) -> impl Future<Output = Result<Observed, ObserveError>> + Send;

    /// Makes one call. The id of what it made, if it makes something.
    fn write(&self, call: &Call) -> impl Future<Output = Result<Option<String>, Ec2Error>> + Send;
}

/// A VPC that could be the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundVpc {
    pub(crate) vpc: Vpc,
    pub(crate) is_default: bool,
}

/// One call that changes something, with ids only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    CreateSubnet {
        vpc: String,
        zone: String,
        cidr: Ipv4Net,
        tags: Tags,
    },
    CreateRouteTable {
        vpc: String,
        tags: Tags,
    },
    Associate {
        table: String,
        subnet: String,
    },
    ReplaceAssociation {
        association: String,
        table: String,
    },
    AllocateAddress {
        tags: Tags,
    },
    CreateTags {
        id: String,
        tags: Tags,
    },
    CreateNatGateway {
        subnet: String,
        allocation: String,
        token: String,
        tags: Tags,
    },
    CreateRoute {
        table: String,
        destination: Ipv4Net,
        target: Target,
    },
    ReplaceRoute {
        table: String,
        destination: Ipv4Net,
        target: Target,
    },
    DeleteRoute {
        table: String,
        destination: Ipv4Net,
    },
    DeleteNatGateway {
        nat: String,
    },
    DeleteSubnet {
        subnet: String,
    },
    Disassociate {
        association: String,
    },
    DeleteRouteTable {
        table: String,
    },
    ReleaseAddress {
        allocation: String,
    },
}

impl Call {
    /// The API's name of the call.
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::CreateSubnet { .. } => "CreateSubnet",
            Self::CreateRouteTable { .. } => "CreateRouteTable",
            Self::Associate { .. } => "AssociateRouteTable",
            Self::ReplaceAssociation { .. } => "ReplaceRouteTableAssociation",
            Self::AllocateAddress { .. } => "AllocateAddress",
            Self::CreateTags { .. } => "CreateTags",
            Self::CreateNatGateway { .. } => "CreateNatGateway",
            Self::CreateRoute { .. } => "CreateRoute",
            Self::ReplaceRoute { .. } => "ReplaceRoute",
            Self::DeleteRoute { .. } => "DeleteRoute",
            Self::DeleteNatGateway { .. } => "DeleteNatGateway",
            Self::DeleteSubnet { .. } => "DeleteSubnet",
            Self::Disassociate { .. } => "DisassociateRouteTable",
            Self::DeleteRouteTable { .. } => "DeleteRouteTable",
            Self::ReleaseAddress { .. } => "ReleaseAddress",
        }
    }
}
