//! What of a directory shall be left out.

use alloc::vec::Vec;

use crate::wire::FilePath;

/// Rules for what of a directory travels; a directory that is left out is not looked into.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Lines of gitignore's form, about paths below the directory of the job: a later one that matches outweighs the earlier
    /// ones, `!` takes back in. The executor reads them; bad ones fail with [`FileError::BadName`](super::FileError::BadName).
    pub rules: Vec<u8>,
    /// `.gitignore` files in the directory and those below count, after `rules`, and `.git` is left out.
    pub gitignore: bool,
}

impl Filter {
    const GITIGNORE: u8 = 0x01;

    /// As the argument of a REQUEST: a byte of flags, then the rules.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let flags = if self.gitignore { Self::GITIGNORE } else { 0 };
        [&[flags], self.rules.as_slice()].concat()
    }

    /// What an argument says; `None` for one with unknown flags.
    pub(crate) fn decode(argument: &[u8]) -> Option<Self> {
        let (&flags, rules) = argument.split_first()?;
        let known = flags & !Self::GITIGNORE == 0;
        known.then(|| Self {
            rules: rules.to_vec(),
            gitignore: flags & Self::GITIGNORE != 0,
        })
    }
}

/// A filter and the directory that its rules are about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterBelow {
    /// The directory of the job.
    pub base: FilePath,
    /// What is left out below it.
    pub filter: Filter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_its_encoding() {
        for (rules, gitignore) in [
            (b"".as_slice(), true),
            (b"*.o\n!a.o", false),
            (b"\xff", true),
        ] {
            let rules = rules.to_vec();
            let filter = Filter { rules, gitignore };
            assert_eq!(Filter::decode(&filter.encode()), Some(filter));
        }
        assert_eq!(Filter::decode(b""), None);
        assert_eq!(Filter::decode(b"\x02*.o"), None);
    }
}
