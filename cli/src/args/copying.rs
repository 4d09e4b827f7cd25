//! Commands that copy, and their flags.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;
use transport_std::Durability;

/// Flags of `get`, `put`, `cp` and `sync`.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Copying {
    /// Replace a target even when it has the source's size and time
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Never replace a file
    #[arg(long, conflicts_with = "force")]
    pub(crate) no_clobber: bool,
    /// Copy nothing; print what would be done, and how long that might take
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Leave out of directories what PATTERN means, in gitignore's form: '*.o', '/build/', 'a/**/b'; of several that match,
    /// the last counts
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Take in again what --exclude leaves out; what is in a directory that is left out is not looked at
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include: Vec<String>,
    /// Leave out what the .gitignore files of the source say, and .git
    #[arg(long)]
    pub(crate) gitignore: bool,
    /// Write the BLAKE3 hash of each local file that was sent, received or there already to FILE, for b3sum -c
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Keep time and permissions: always done, taken for the habit
    #[arg(short = 'p', long)]
    pub(crate) preserve: bool,
    /// Taken for the habit: directories are always copied with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// What must survive a power loss when a file counts as done: full is the file and its name, file its content. Both wait
    /// for the disk, many small files together. none does not: for what can be copied again, since after a power loss a
    /// file may be empty
    #[arg(long, value_name = "LEVEL", default_value = "full", value_enum)]
    pub(crate) durability: DurabilityArg,
}

/// `--durability`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DurabilityArg {
    /// File and name.
    Full,
    /// Content.
    File,
    /// Nothing.
    None,
}

impl From<DurabilityArg> for Durability {
    fn from(level: DurabilityArg) -> Self {
        match level {
            DurabilityArg::Full => Self::Full,
            DurabilityArg::File => Self::File,
            DurabilityArg::None => Self::None,
        }
    }
}

/// `dhow get`
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "dhow get [OPTIONS] REMOTE... LOCAL",
    after_help = "\
Examples:
  dhow get host:report.pdf .               keeps the name
  dhow get host:a host:b backup/           several into a directory
  dhow get dhow://[2001:db8::1]:5000/a b   as b
  dhow get host:photos .                   a directory with all that is in it
A file appears under its name only whole and checked. The same command goes on with what it began."
)]
pub(crate) struct Get {
    /// REMOTE files and directories, then the local target: a directory, or the new name of a single source
    #[arg(required = true, num_args = 2.., value_names = ["REMOTE", "LOCAL"])]
    pub(crate) operands: Vec<OsString>,
    /// Flags.
    #[command(flatten)]
    pub(crate) copying: Copying,
}

/// `dhow put`
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "dhow put [OPTIONS] LOCAL... REMOTE",
    after_help = "\
Examples:
  dhow put report.pdf host:                keeps the name
  dhow put a b host:backup/                several into a directory that exists
  dhow put a host:b                        as b
  dhow put photos host:                    a directory with all that is in it
A file appears under its name only whole and checked. The same command goes on with what it began."
)]
pub(crate) struct Put {
    /// Local files and directories, then the REMOTE target: a directory, or the new name of a single source
    #[arg(required = true, num_args = 2.., value_names = ["LOCAL", "REMOTE"])]
    pub(crate) operands: Vec<OsString>,
    /// Flags.
    #[command(flatten)]
    pub(crate) copying: Copying,
}

/// `dhow cp`
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "dhow cp [OPTIONS] SRC... DST",
    after_help = "Exactly one side is remote: as get, or as put."
)]
pub(crate) struct Cp {
    /// Sources, then the target
    #[arg(required = true, num_args = 2.., value_names = ["SRC", "DST"])]
    pub(crate) operands: Vec<OsString>,
    /// Flags.
    #[command(flatten)]
    pub(crate) copying: Copying,
}

/// `dhow sync`
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exactly one side is remote. As with rsync, a slash at the end of SRC means what is in it:
  dhow sync host:photos/ photos/           photos becomes like the server's photos
  dhow sync host:photos backup/            backup/photos does
  dhow sync --delete site/ host:www/       and what is in www alone goes
What has the source's size and time is left alone.")]
pub(crate) struct Sync {
    /// A directory or file
    #[arg(value_name = "SRC")]
    pub(crate) source: OsString,
    /// The directory to bring up to date
    #[arg(value_name = "DST")]
    pub(crate) target: OsString,
    /// Afterwards remove from DST what SRC does not have; not when something could not be copied
    #[arg(long)]
    pub(crate) delete: bool,
    /// Compare by hash what has the source's size and time, and copy what differs: both sides read all of it
    #[arg(long, conflicts_with = "no_clobber")]
    pub(crate) checksum: bool,
    /// With --delete: remove even when something could not be copied
    #[arg(long, requires = "delete")]
    pub(crate) ignore_errors: bool,
    /// Flags.
    #[command(flatten)]
    pub(crate) copying: Copying,
}

/// `dhow verify`
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Both sides are read, and nothing is copied. Files are compared by their BLAKE3 hashes; of links only whether they are
there. Exit code 7 says that something differs, or stands at one side only.")]
pub(crate) struct Verify {
    /// A file or directory of a server
    pub(crate) remote: OsString,
    /// What it is compared with
    pub(crate) local: OsString,
}

/// `dhow tree`
#[derive(clap::Args, Debug)]
pub(crate) struct TreeArgs {
    /// A directory of a server
    pub(crate) remote: OsString,
}
