//! Where users' paths lead, and what may be done there.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;

use proto_core::wire::{ErrorCode, FilePath, RequestKind};
use proto_core::{Decision, Place, Requested, RootId};

use super::Rights;
use crate::executor::Roots;

/// A directory to share: its name, if it has one.
pub(super) type Share = (Option<Vec<u8>>, PathBuf, Rights);

/// The shares of a server.
#[derive(Debug)]
pub(super) enum Layout {
    /// One directory, at whose entries users begin.
    Single(RootId, Rights),
    /// Named directories beneath a root that exists in name only.
    Named {
        top: RootId,
        shares: BTreeMap<Vec<u8>, (RootId, Rights)>,
    },
}

impl Layout {
    /// Opens the shares.
    pub(super) fn open(shares: Vec<Share>, roots: &Roots) -> Result<Self> {
        let unusable = |text: String| Error::new(ErrorKind::InvalidInput, text);
        let open = |path: &PathBuf| {
            roots.add_dir(path).map_err(|error| {
                Error::new(
                    error.kind(),
                    format!("{} cannot be shared: {error}", path.display()),
                )
            })
        };
        if let [(None, path, rights)] = shares.as_slice() {
            return Ok(Self::Single(open(path)?, *rights));
        }
        let mut named = BTreeMap::new();
        for (name, path, rights) in shares {
            let name = name.ok_or_else(|| unusable("several shares need names".into()))?;
            let shown = name.escape_ascii().to_string();
            match FilePath::parse(&name) {
                Ok(path) if path.components().count() == 1 && !path.is_reserved() => {}
                _ => return Err(unusable(format!("`{shown}` cannot be the name of a share"))),
            }
            if named.insert(name, (open(&path)?, rights)).is_some() {
                return Err(unusable(format!("two shares are called `{shown}`")));
            }
        }
        if named.is_empty() {
            return Err(unusable("there is nothing to share".into()));
        }
        let top = roots.add_shares(named.iter().map(|(name, (root, _))| (name.clone(), *root)));
        Ok(Self::Named { top, shares: named })
    }

    /// What becomes of a request of a user with `rights`.
    pub(super) fn decide(&self, rights: Rights, request: &Requested) -> Decision {
        match self.place(rights, request) {
            Ok(place) => Decision::Grant {
                place,
                may_replace: true,
            },
            Err(code) => Decision::Refuse(code),
        }
    }

    fn place(&self, rights: Rights, request: &Requested) -> std::result::Result<Place, ErrorCode> {
        let upload = request.kind == RequestKind::Put;
        // F8 for all, F7 for those who would make such a name.
        if request.path.is_reserved() || (upload && request.path.has_control_bytes()) {
            return Err(ErrorCode::NameRefused);
        }
        let (place, share_rights) = self.find(&request.path, upload)?;
        match rights.min(share_rights) {
            Rights::None => Err(ErrorCode::NotFound),
            Rights::Read if upload => Err(ErrorCode::ReadOnly),
            Rights::ReadWrite if upload && place.path.is_root() && !request.tree => {
                Err(ErrorCode::IsDirectory)
            }
            Rights::Read | Rights::ReadWrite => Ok(place),
        }
    }

    /// Where the path leads, and the rights there.
    fn find(
        &self,
        path: &FilePath,
        upload: bool,
    ) -> std::result::Result<(Place, Rights), ErrorCode> {
        match self {
            Self::Single(root, rights) => Ok((
                Place {
                    root: *root,
                    path: path.clone(),
                },
                *rights,
            )),
            Self::Named { top, shares } => {
                let mut components = path.components();
                let Some(name) = components.next() else {
                    return Ok((
                        Place {
                            root: *top,
                            path: path.clone(),
                        },
                        Rights::Read,
                    ));
                };
                let Some((root, rights)) = shares.get(name) else {
                    // Nobody makes shares from outside.
                    return Err(if upload {
                        ErrorCode::ReadOnly
                    } else {
                        ErrorCode::NotFound
                    });
                };
                let below = components.collect::<Vec<_>>().join(&b'/');
                let path = FilePath::parse(&below).map_err(|_| ErrorCode::NameRefused)?;
                Ok((Place { root: *root, path }, *rights))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proto_core::Overwrite;
    use proto_core::wire::Durability;

    use super::*;

    fn ask(layout: &Layout, rights: Rights, kind: RequestKind, path: &[u8]) -> Decision {
        let (overwrite, durability) = (Overwrite::Replace, Durability::Full);
        let path = FilePath::parse(path).unwrap();
        layout.decide(
            rights,
            &Requested {
                kind,
                path,
                size: 0,
                overwrite,
                durability,
                tree: false,
            },
        )
    }

    fn grant(root: RootId, path: &[u8]) -> Decision {
        Decision::Grant {
            place: Place {
                root,
                path: FilePath::parse(path).unwrap(),
            },
            may_replace: true,
        }
    }

    #[test]
    fn one_directory_is_the_root_itself() {
        let directory = tempfile::tempdir().unwrap();
        let open = |rights| {
            Layout::open(vec![(None, directory.path().into(), rights)], &Roots::new()).unwrap()
        };
        let layout = open(Rights::ReadWrite);
        let Layout::Single(root, _) = layout else {
            panic!("{layout:?}")
        };
        let refuse = Decision::Refuse;
        assert_eq!(
            ask(&layout, Rights::Read, RequestKind::List, b""),
            grant(root, b"")
        );
        assert_eq!(
            ask(&layout, Rights::Read, RequestKind::Get, b"a/b"),
            grant(root, b"a/b")
        );
        assert_eq!(
            ask(&layout, Rights::Read, RequestKind::Put, b"a"),
            refuse(ErrorCode::ReadOnly)
        );
        assert_eq!(
            ask(&layout, Rights::None, RequestKind::Stat, b"a"),
            refuse(ErrorCode::NotFound)
        );
        assert_eq!(
            ask(&layout, Rights::ReadWrite, RequestKind::Put, b"a"),
            grant(root, b"a")
        );
        assert_eq!(
            ask(&layout, Rights::ReadWrite, RequestKind::Put, b""),
            refuse(ErrorCode::IsDirectory)
        );
        let layout = open(Rights::Read);
        assert_eq!(
            ask(&layout, Rights::ReadWrite, RequestKind::Put, b"a"),
            refuse(ErrorCode::ReadOnly)
        );
    }

    #[test]
    fn f7_f8_names_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let shares = vec![(None, directory.path().into(), Rights::ReadWrite)];
        let layout = Layout::open(shares, &Roots::new()).unwrap();
        let refused = Decision::Refuse(ErrorCode::NameRefused);
        for kind in [
            RequestKind::List,
            RequestKind::Stat,
            RequestKind::Get,
            RequestKind::Put,
        ] {
            assert_eq!(
                ask(&layout, Rights::ReadWrite, kind, b"a/.dhow-x/b"),
                refused
            );
        }
        assert_eq!(
            ask(&layout, Rights::ReadWrite, RequestKind::Put, b"a\nb"),
            refused
        );
        assert_eq!(
            ask(&layout, Rights::ReadWrite, RequestKind::Put, b"a\x7f"),
            refused
        );
        assert_ne!(
            ask(&layout, Rights::ReadWrite, RequestKind::Get, b"a\nb"),
            refused
        );
    }

    #[test]
    fn names_lead_to_their_shares() {
        let directory = tempfile::tempdir().unwrap();
        let share = |name: &[u8], rights| (Some(name.to_vec()), directory.path().into(), rights);
        let shares = vec![share(b"in", Rights::ReadWrite), share(b"out", Rights::Read)];
        let layout = Layout::open(shares, &Roots::new()).unwrap();
        let Layout::Named { top, shares } = &layout else {
            panic!("{layout:?}")
        };
        let (inward, outward) = (shares[b"in".as_slice()].0, shares[b"out".as_slice()].0);
        let ask = |kind, path: &[u8]| ask(&layout, Rights::ReadWrite, kind, path);
        let refuse = Decision::Refuse;
        assert_eq!(ask(RequestKind::List, b""), grant(*top, b""));
        assert_eq!(ask(RequestKind::Put, b""), refuse(ErrorCode::ReadOnly));
        assert_eq!(ask(RequestKind::Put, b"new"), refuse(ErrorCode::ReadOnly));
        assert_eq!(ask(RequestKind::Get, b"new"), refuse(ErrorCode::NotFound));
        assert_eq!(ask(RequestKind::List, b"in"), grant(inward, b""));
        assert_eq!(ask(RequestKind::Put, b"in/a/b"), grant(inward, b"a/b"));
        assert_eq!(ask(RequestKind::Put, b"out/a"), refuse(ErrorCode::ReadOnly));
        assert_eq!(ask(RequestKind::Get, b"out/a"), grant(outward, b"a"));
    }

    #[test]
    fn bad_shares_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = || directory.path().to_path_buf();
        let fails = |shares| Layout::open(shares, &Roots::new()).unwrap_err().to_string();
        let named = |name: &[u8]| (Some(name.to_vec()), path(), Rights::Read);
        let bare = || (None, path(), Rights::Read);
        assert_eq!(fails(vec![]), "there is nothing to share");
        assert_eq!(fails(vec![bare(), bare()]), "several shares need names");
        assert_eq!(
            fails(vec![named(b"a"), named(b"a")]),
            "two shares are called `a`"
        );
        for name in [b"a/b".as_slice(), b"..", b"", b".dhow-a", b"a\0"] {
            assert!(fails(vec![named(name)]).contains("cannot be the name of a share"));
        }
        let missing = (None, path().join("missing"), Rights::Read);
        assert!(fails(vec![missing]).contains("missing cannot be shared: "));
    }
}
