//! isthmus-metadata-proxy against a real API server, with an STS behind the gate.
//! Clients bind addresses in 127.0.0.0/8: these are the pods.
//!
//! Where each rule of the proxy is held from outside:
//!
//! | rule | test |
//! |---|---|
//! | N1 unknown pods wait | `rules::an_unknown_pod_waits`, `cluster::a_pod_that_appears_while_its_request_waits_is_served` |
//! | N2–N5 denials, names of roles | `rules::pods_and_their_roles` |
//! | N6–N8 forwarded requests, session tokens | `rules::tokens_and_what_a_client_says_of_itself`, `serving::session_tokens` |
//! | N9–N14 paths, versions, methods, hosts, framing | `rules::requests_mean_one_thing`, `doors` (iam/info) |
//! | N15 what goes upstream | `doors::the_instance_metadata_is_asked_for_what_is_allowed_alone` |
//! | N16, N17, N24 host network, shared addresses, changes | `cluster::changes_in_the_cluster_change_the_next_answer` |
//! | N18 one call for all | `credentials::fifty_cold_requests_make_one_call_of_sts` |
//! | N19, N21, N23 sessions, throttling, lists | `rules::sessions_throttling_and_lists`, `cluster::namespaces_restrict_roles` |
//! | N20, N21 a slow and a denying STS | `credentials::a_slow_sts`, `credentials::a_denying_sts` |
//! | N22 life left, stale to the end | `expiry::credentials_are_renewed_ahead_and_else_served_to_their_end` |
//! | N25 the API server away | `life::the_api_server_goes_away` |

mod client;
mod cluster;
mod container;
mod credentials;
mod doors;
mod expiry;
mod interception;
mod kubelet;
mod life;
mod net;
mod rules;
mod sdks;
mod serving;
mod sessions;
mod taint;
mod threads;
mod web_identity;
