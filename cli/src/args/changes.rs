//! Commands that change names on a server, and their flags.

use std::ffi::OsString;

use super::DurabilityArg;

/// `dhow mkdir`
#[derive(clap::Args, Debug)]
pub(crate) struct Mkdir {
    /// Directories to make
    #[arg(required = true, value_name = "REMOTE")]
    pub(crate) remotes: Vec<OsString>,
    /// Make those above them, too; one that is there already is no error
    #[arg(short = 'p', long)]
    pub(crate) parents: bool,
    /// What must survive a power loss before it counts as done: full, or none
    #[arg(long, value_name = "LEVEL", default_value = "full", value_enum)]
    pub(crate) durability: DurabilityArg,
}

/// `dhow rm`
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Patterns are expanded as in get: dhow rm 'host:logs/*.old'. Links are removed, not followed.
There is no way back, and no question.")]
pub(crate) struct Rm {
    /// Files to remove
    #[arg(required = true, value_name = "REMOTE")]
    pub(crate) remotes: Vec<OsString>,
    /// Remove directories with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Remove empty directories
    #[arg(short, long)]
    pub(crate) dir: bool,
    /// What is not there is no error
    #[arg(short, long)]
    pub(crate) force: bool,
    /// What must survive a power loss before it counts as done: full, or none
    #[arg(long, value_name = "LEVEL", default_value = "full", value_enum)]
    pub(crate) durability: DurabilityArg,
}

/// `dhow mv`
#[derive(clap::Args, Debug)]
#[command(override_usage = "dhow mv [OPTIONS] REMOTE... REMOTE")]
pub(crate) struct Mv {
    /// Files and directories of one server, then a directory there, or the new name of a single source
    #[arg(required = true, num_args = 2.., value_name = "REMOTE")]
    pub(crate) operands: Vec<OsString>,
    /// Never replace a file
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// What must survive a power loss before it counts as done: full, or none
    #[arg(long, value_name = "LEVEL", default_value = "full", value_enum)]
    pub(crate) durability: DurabilityArg,
}
