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
        let layout = Self::open_all(shares, roots)?;
        let open: Vec<_> = match &layout {
            Self::Single(root, rights) => vec![(*root, *rights)],
            Self::Named { shares, .. } => shares.values().copied().collect(),
        };
        for (root, _) in open
            .iter()
            .filter(|(_, rights)| *rights == Rights::ReadWrite)
        {
            roots.sweep(*root, &FilePath::root());
        }
        Ok(layout)
    }

    fn open_all(shares: Vec<Share>, roots: &Roots) -> Result<Self> {
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
        let may_replace = true;
        let granted = self.place(rights, request);
        let granted = granted.and_then(|place| match request.kind {
            RequestKind::Rename => Ok(Decision::GrantRename {
                to: self.new_path(rights, &place, &request.to)?,
                place,
                may_replace,
            }),
            _ => Ok(Decision::Grant { place, may_replace }),
        });
        granted.unwrap_or_else(Decision::Refuse)
    }

    /// Where a rename from `place` leads: to another name in the same share.
    fn new_path(
        &self,
        rights: Rights,
        place: &Place,
        to: &FilePath,
    ) -> std::result::Result<FilePath, ErrorCode> {
        if to.is_reserved() || to.has_control_bytes() {
            return Err(ErrorCode::NameRefused);
        }
        let (new, share_rights) = self.find(to, true)?;
        match rights.min(share_rights) {
            Rights::None => Err(ErrorCode::NotFound),
            Rights::Read => Err(ErrorCode::ReadOnly),
            Rights::ReadWrite if new.root != place.root => Err(ErrorCode::Unsupported),
            Rights::ReadWrite if new.path.is_root() => Err(ErrorCode::IsDirectory),
            Rights::ReadWrite => Ok(new.path),
        }
    }

    fn place(&self, rights: Rights, request: &Requested) -> std::result::Result<Place, ErrorCode> {
        let kind = request.kind;
        let names = matches!(kind, RequestKind::Put | RequestKind::MakeDir);
        // F8 for all, F7 for those who would make such a name.
        if request.path.is_reserved() || (names && request.path.has_control_bytes()) {
            return Err(ErrorCode::NameRefused);
        }
        let writes = kind == RequestKind::Put || kind.changes_names();
        let (place, share_rights) = self.find(&request.path, writes)?;
        match rights.min(share_rights) {
            Rights::None => Err(ErrorCode::NotFound),
            Rights::Read if writes => Err(ErrorCode::ReadOnly),
            Rights::ReadWrite if place.path.is_root() => {
                Self::on_root(request).map_or(Ok(place), Err)
            }
            Rights::Read | Rights::ReadWrite => Ok(place),
        }
    }

    /// Why the request cannot be about a shared directory itself; `None` when it can.
    fn on_root(request: &Requested) -> Option<ErrorCode> {
        match request.kind {
            RequestKind::Put if !request.tree => Some(ErrorCode::IsDirectory),
            RequestKind::MakeDir => Some(ErrorCode::Exists),
            RequestKind::Remove | RequestKind::Rename => Some(ErrorCode::Denied),
            _ => None,
        }
    }

    /// Where the path leads, and the rights there.
    fn find(
        &self,
        path: &FilePath,
        writes: bool,
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
                    return Err(if writes {
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
                to: FilePath::root(),
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
    fn changes_of_names_need_the_right_to_write() {
        let directory = tempfile::tempdir().unwrap();
        let share = |name: &[u8], rights| (Some(name.to_vec()), directory.path().into(), rights);
        let shares = vec![share(b"in", Rights::ReadWrite), share(b"out", Rights::Read)];
        let layout = Layout::open(shares, &Roots::new()).unwrap();
        let ask = |kind, path: &[u8], to: &[u8]| {
            let request = Requested {
                kind,
                path: FilePath::parse(path).unwrap(),
                to: FilePath::parse(to).unwrap(),
                size: 0,
                overwrite: Overwrite::Replace,
                durability: Durability::Full,
                tree: true,
            };
            match layout.decide(Rights::ReadWrite, &request) {
                Decision::Grant { place, .. } => Ok((place.path, FilePath::root())),
                Decision::GrantRename { place, to, .. } => Ok((place.path, to)),
                Decision::Refuse(code) => Err(code),
            }
        };
        let path = |text: &[u8]| FilePath::parse(text).unwrap();
        use ErrorCode as E;
        use RequestKind::{MakeDir, Remove, Rename};
        for kind in [MakeDir, Remove, Rename] {
            // Nothing is told of what is there (F16).
            assert_eq!(ask(kind, b"", b"in/x"), Err(E::ReadOnly));
            assert_eq!(ask(kind, b"none/a", b"in/x"), Err(E::ReadOnly));
            assert_eq!(ask(kind, b"out/a", b"in/x"), Err(E::ReadOnly));
            assert_eq!(ask(kind, b"in/.dhow-x", b"in/x"), Err(E::NameRefused));
            assert!(ask(kind, b"in/a", b"in/x").is_ok());
        }
        assert_eq!(ask(MakeDir, b"in", b""), Err(E::Exists));
        assert_eq!(ask(MakeDir, b"in/a\n", b""), Err(E::NameRefused));
        assert_eq!(ask(Remove, b"in", b""), Err(E::Denied));
        assert!(
            ask(Remove, b"in/a\n", b"").is_ok(),
            "so that it can be got rid of"
        );
        assert_eq!(ask(Rename, b"in", b"in/x"), Err(E::Denied));
        let moved = ask(Rename, b"in/a", b"in/d/x");
        assert_eq!(moved, Ok((path(b"a"), path(b"d/x"))));
        assert_eq!(ask(Rename, b"in/a", b"in"), Err(E::IsDirectory));
        assert_eq!(ask(Rename, b"in/a", b"out/x"), Err(E::ReadOnly));
        assert_eq!(ask(Rename, b"in/a", b"none/x"), Err(E::ReadOnly));
        assert_eq!(ask(Rename, b"in/a", b"in/.dhow-x"), Err(E::NameRefused));
        assert_eq!(ask(Rename, b"in/a", b"in/x\x7f"), Err(E::NameRefused));
        let other = tempfile::tempdir().unwrap();
        let share = |name: &[u8], path: &std::path::Path| {
            (Some(name.to_vec()), path.into(), Rights::ReadWrite)
        };
        let shares = vec![share(b"a", directory.path()), share(b"b", other.path())];
        let layout = Layout::open(shares, &Roots::new()).unwrap();
        let request = Requested {
            kind: Rename,
            path: path(b"a/f"),
            to: path(b"b/f"),
            size: 0,
            overwrite: Overwrite::Replace,
            durability: Durability::Full,
            tree: false,
        };
        let decision = layout.decide(Rights::ReadWrite, &request);
        assert_eq!(decision, Decision::Refuse(E::Unsupported));
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
