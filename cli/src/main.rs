//! dhow.
#![allow(dead_code)]
mod args;
mod escape;
mod exit;
mod home;
mod json;
mod keys;
mod known_hosts;
mod remote;
mod strict;
mod units;
fn main() {}
