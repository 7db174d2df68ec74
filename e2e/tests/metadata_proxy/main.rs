//! isthmus-metadata-proxy against a real API server, with an STS behind the gate.
//! Clients bind addresses in 127.0.0.0/8: these are the pods.

mod client;
mod cluster;
mod container;
mod credentials;
mod doors;
mod interception;
mod kubelet;
mod life;
mod net;
mod rules;
mod sdks;
mod serving;
mod sessions;
mod taint;
mod web_identity;
