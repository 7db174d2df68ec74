//! The admin server and what it shows.

mod board;
mod html;
mod server;

pub use server::Admin;
