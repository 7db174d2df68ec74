//! Ring 1 of isthmus-metadata-proxy: its decisions, as plain values.
//!
//! A request goes through `classify -> identify -> decide -> act -> respond`:
//!
//! * [`classify`] says what a request asks for, from its method, target and headers alone;
//! * [`Directory::identify`] says who asks, from the address of the connection and a token;
//! * [`decide()`] says what is given, in one match that refuses whatever it does not name;
//! * the shell acts: it asks STS or the real IMDS, as [`Slot::supply`] says;
//! * [`Answer`] is what goes back, byte for byte.
//!
//! Nothing here does I/O, reads a clock or draws a random number.

mod allow_list;
mod answer;
mod bearer;
mod cache;
mod credentials;
mod decide;
mod explain;
#[cfg(test)]
mod fixture;
mod grant;
mod host;
mod identify;
mod index;
mod path;
mod pod;
mod policy_arns;
mod rate;
pub mod reason;
mod redirect;
mod refusal;
mod rejection;
mod request;
mod role;
mod secret;
mod service_account;
mod source;
mod taint;
mod token;

pub use allow_list::{AllowList, AllowListError, PatternFormat};
pub use answer::{Answer, SERVER};
pub use bearer::{Bearer, Claims, Review};
pub use cache::{CachePolicy, Slot, Supply};
pub use credentials::{Credentials, Prepared, whole_seconds};
pub use decide::{Caller, ImdsV2, Policy, TokenState, Verdict, decide};
pub use explain::{Explanation, TokenLook, advice, explain};
pub use grant::{
    Grant, GrantError, Namespaces, RoleOrigin, RoleRules, RoleState, STS_AUDIENCE, Wanted,
};
pub use host::{AllowedHosts, CONTAINER_V4, CONTAINER_V6, IMDS_V4, IMDS_V6};
pub use identify::{Directory, Presented, Shown};
pub use index::{Found, PodIndex};
pub use path::{PathClass, UpstreamPathError, UpstreamPaths, classify_path};
pub use pod::Pod;
pub use policy_arns::{PolicyArns, PolicyArnsError, SESSION_POLICIES};
pub use rate::RateLimiter;
pub use redirect::{Interface, Redirect, removal, stale};
pub use refusal::Refusal;
pub use request::{Class, Headers, Question, Request, Target, classify};
pub use role::{BaseArn, BaseArnError, RoleArn, RoleError, is_role_byte};
pub use secret::{Secret, SecretBytes};
pub use service_account::{AccountRole, ServiceAccounts};
pub use source::{Identity, SourceMode, TokenVolume};
pub use taint::{Taint, is_taint_key, taint_removal};
pub use token::{TokenKey, TokenTtl};
