//! Two ends, two disks and a bad link: transfers as a whole.

mod disk;
mod faults;
mod files;
mod liars;
mod listings;
mod world;
