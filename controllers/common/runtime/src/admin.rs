//! The admin server and what it shows.

mod answer;
mod board;
mod html;
mod server;

pub use server::Admin;
