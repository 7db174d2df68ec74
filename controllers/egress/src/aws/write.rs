//! One EC2 call for each [`Call`].

use aws_sdk_ec2::types::{DomainType, ResourceType, Tag, TagSpecification};
use egress_core::{Tags, Target};

use aws_sdk_ec2::Client;

use super::{Call, convert::failed};
use crate::error::{Ec2Error, Ec2ErrorKind};

/// Nothing, or the id of what was made.
type Made = Result<Option<String>, Ec2Error>;

/// Makes the calls.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) client: Client,
    /// Without retries, for creations that EC2 does not make idempotent: if the
    /// answer is lost, the next reconcile finds by its tags what was made, while a
    /// retry would make another one.
    pub(super) once: Client,
    /// Asks whether the calls would be allowed, and changes nothing.
    pub(super) dry_run: bool,
}

impl Writer {
    /// Makes the call; for creations, the id of what was made.
    pub(super) async fn carry_out(&self, call: &Call) -> Made {
        match call {
            Call::CreateSubnet { .. } => self.create_subnet(call).await,
            Call::CreateRouteTable { vpc, tags } => self.create_route_table(vpc, tags).await,
            Call::Associate { table, subnet } => self.associate(table, subnet).await,
            Call::ReplaceAssociation { association, table } => {
                self.replace_association(association, table).await
            }
            Call::AllocateAddress { tags } => self.allocate_address(tags).await,
            Call::CreateTags { id, tags } => self.create_tags(id, tags).await,
            Call::CreateNatGateway { .. } => self.create_nat_gateway(call).await,
            Call::CreateRoute {
                table,
                destination,
                target,
            } => {
                self.create_route(table, destination.to_string(), target)
                    .await
            }
            Call::ReplaceRoute {
                table,
                destination,
                target,
            } => {
                self.replace_route(table, destination.to_string(), target)
                    .await
            }
            Call::DeleteRoute { table, destination } => {
                self.delete_route(table, destination.to_string()).await
            }
            Call::DeleteNatGateway { nat } => self.delete_nat_gateway(nat).await,
            Call::DeleteSubnet { subnet } => self.delete_subnet(subnet).await,
            Call::Disassociate { association } => self.disassociate(association).await,
            Call::DeleteRouteTable { table } => self.delete_route_table(table).await,
            Call::ReleaseAddress { allocation } => self.release_address(allocation).await,
        }
    }

    async fn create_subnet(&self, call: &Call) -> Made {
        let Call::CreateSubnet {
            vpc,
            zone,
            cidr,
            tags,
        } = call
        else {
            return Ok(None);
        };
        let request = self
            .once
            .create_subnet()
            .dry_run(self.dry_run)
            .vpc_id(vpc)
            .availability_zone(zone);
        let request = request.cidr_block(cidr.to_string());
        let sent = request
            .tag_specifications(specification(ResourceType::Subnet, tags))
            .send();
        let made = sent.await.map_err(|error| failed("CreateSubnet", &error))?;
        Ok(made
            .subnet()
            .and_then(|subnet| subnet.subnet_id())
            .map(str::to_owned))
    }

    async fn create_route_table(&self, vpc: &str, tags: &Tags) -> Made {
        let request = self
            .once
            .create_route_table()
            .dry_run(self.dry_run)
            .vpc_id(vpc);
        let sent = request
            .tag_specifications(specification(ResourceType::RouteTable, tags))
            .send();
        let made = sent
            .await
            .map_err(|error| failed("CreateRouteTable", &error))?;
        Ok(made
            .route_table()
            .and_then(|table| table.route_table_id())
            .map(str::to_owned))
    }

    async fn allocate_address(&self, tags: &Tags) -> Made {
        let request = self
            .once
            .allocate_address()
            .dry_run(self.dry_run)
            .domain(DomainType::Vpc);
        let sent = request
            .tag_specifications(specification(ResourceType::ElasticIp, tags))
            .send();
        let made = sent
            .await
            .map_err(|error| failed("AllocateAddress", &error))?;
        Ok(made.allocation_id().map(str::to_owned))
    }

    async fn create_nat_gateway(&self, call: &Call) -> Made {
        let Call::CreateNatGateway {
            subnet,
            allocation,
            token,
            tags,
        } = call
        else {
            return Ok(None);
        };
        let request = self
            .client
            .create_nat_gateway()
            .dry_run(self.dry_run)
            .subnet_id(subnet)
            .allocation_id(allocation);
        let request = request.client_token(token);
        let sent = request
            .tag_specifications(specification(ResourceType::Natgateway, tags))
            .send();
        let made = sent.await.map_err(|error| {
            let mut error = failed("CreateNatGateway", &error);
            if error.kind == Ec2ErrorKind::AlreadyThere {
                // Something has the address: no answer that was lost, for the token would have found it.
                error.kind = Ec2ErrorKind::Other;
            }
            error
        })?;
        Ok(made
            .nat_gateway()
            .and_then(|nat| nat.nat_gateway_id())
            .map(str::to_owned))
    }

    async fn create_tags(&self, id: &str, tags: &Tags) -> Made {
        let request = self
            .client
            .create_tags()
            .dry_run(self.dry_run)
            .resources(id)
            .set_tags(Some(list(tags)));
        nothing(
            request
                .send()
                .await
                .map_err(|error| failed("CreateTags", &error)),
        )
    }

    async fn create_route(&self, table: &str, destination: String, target: &Target) -> Made {
        let request = self
            .client
            .create_route()
            .dry_run(self.dry_run)
            .route_table_id(table)
            .destination_cidr_block(destination);
        let request = match target {
            Target::NatGateway(id) => request.nat_gateway_id(id),
            Target::Gateway(id) | Target::Other(id) => request.gateway_id(id),
        };
        nothing(
            request
                .send()
                .await
                .map_err(|error| failed("CreateRoute", &error)),
        )
    }

    async fn replace_route(&self, table: &str, destination: String, target: &Target) -> Made {
        let request = self
            .client
            .replace_route()
            .dry_run(self.dry_run)
            .route_table_id(table)
            .destination_cidr_block(destination);
        let request = match target {
            Target::NatGateway(id) => request.nat_gateway_id(id),
            Target::Gateway(id) | Target::Other(id) => request.gateway_id(id),
        };
        nothing(
            request
                .send()
                .await
                .map_err(|error| failed("ReplaceRoute", &error)),
        )
    }

    async fn delete_route(&self, table: &str, destination: String) -> Made {
        let request = self
            .client
            .delete_route()
            .dry_run(self.dry_run)
            .route_table_id(table)
            .destination_cidr_block(destination);
        nothing(
            request
                .send()
                .await
                .map_err(|error| failed("DeleteRoute", &error)),
        )
    }

    async fn associate(&self, table: &str, subnet: &str) -> Made {
        let request = self
            .client
            .associate_route_table()
            .dry_run(self.dry_run)
            .route_table_id(table)
            .subnet_id(subnet);
        nothing(
            request
                .send()
                .await
                .map_err(|error| failed("AssociateRouteTable", &error)),
        )
    }

    async fn replace_association(&self, association: &str, table: &str) -> Made {
        let request = self
            .client
            .replace_route_table_association()
            .dry_run(self.dry_run);
        let sent = request
            .association_id(association)
            .route_table_id(table)
            .send()
            .await;
        nothing(sent.map_err(|error| failed("ReplaceRouteTableAssociation", &error)))
    }

    async fn disassociate(&self, association: &str) -> Made {
        let sent = self
            .client
            .disassociate_route_table()
            .dry_run(self.dry_run)
            .association_id(association)
            .send()
            .await;
        nothing(sent.map_err(|error| failed("DisassociateRouteTable", &error)))
    }

    async fn delete_nat_gateway(&self, nat: &str) -> Made {
        let sent = self
            .client
            .delete_nat_gateway()
            .dry_run(self.dry_run)
            .nat_gateway_id(nat)
            .send()
            .await;
        nothing(sent.map_err(|error| failed("DeleteNatGateway", &error)))
    }

    async fn delete_subnet(&self, subnet: &str) -> Made {
        let sent = self
            .client
            .delete_subnet()
            .dry_run(self.dry_run)
            .subnet_id(subnet)
            .send()
            .await;
        nothing(sent.map_err(|error| failed("DeleteSubnet", &error)))
    }

    async fn delete_route_table(&self, table: &str) -> Made {
        let sent = self
            .client
            .delete_route_table()
            .dry_run(self.dry_run)
            .route_table_id(table)
            .send()
            .await;
        nothing(sent.map_err(|error| failed("DeleteRouteTable", &error)))
    }

    async fn release_address(&self, allocation: &str) -> Made {
        let sent = self
            .client
            .release_address()
            .dry_run(self.dry_run)
            .allocation_id(allocation)
            .send()
            .await;
        nothing(sent.map_err(|error| failed("ReleaseAddress", &error)))
    }
}

fn nothing<T>(sent: Result<T, Ec2Error>) -> Made {
    sent.map(|_| None)
}

fn list(tags: &Tags) -> Vec<Tag> {
    let pairs = tags.iter();
    pairs
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(list(tags)))
        .build()
}
