//! isthmus-metadata-proxy against a real API server, with an STS behind the gate.
//! Clients bind addresses in 127.0.0.0/8: these are the pods.

mod client;
mod cluster;
mod credentials;
mod doors;
mod interception;
mod life;
mod net;
mod rules;
mod sdks;
mod serving;
mod taint;
