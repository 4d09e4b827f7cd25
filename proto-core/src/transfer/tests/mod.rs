//! Two ends, two disks and a bad link: transfers as a whole.

mod changes;
mod disk;
mod ends;
mod faults;
mod files;
mod hashes;
mod liars;
mod link;
mod listings;
mod resume;
mod tree_liars;
mod trees;
mod world;
