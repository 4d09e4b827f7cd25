//! A directory: the names in it, and those that a power loss leaves.

use std::collections::BTreeMap;

use super::super::survival::Survival;
use super::Ino;

/// A change: what each name stands for afterwards, all together or not at all.
type Change = Vec<(Vec<u8>, Option<Ino>)>;

#[derive(Clone, Copy, Debug)]
struct Link {
    ino: Ino,
    /// Place in the order of listing; later names come later.
    cookie: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    entries: BTreeMap<Vec<u8>, Link>,
    order: BTreeMap<u64, Vec<u8>>,
    last_cookie: u64,
    /// What is on the medium for sure.
    durable: BTreeMap<Vec<u8>, Ino>,
    /// What is between the two, in order.
    pending: Vec<Change>,
}

fn apply(entries: &mut BTreeMap<Vec<u8>, Ino>, change: &Change) {
    for (name, ino) in change {
        match ino {
            Some(ino) => entries.insert(name.clone(), *ino),
            None => entries.remove(name),
        };
    }
}

impl Directory {
    pub(super) fn get(&self, name: &[u8]) -> Option<Ino> {
        Some(self.entries.get(name)?.ino)
    }

    /// All names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = (&[u8], Ino)> {
        let entries = self.entries.iter();
        entries.map(|(name, link)| (name.as_slice(), link.ino))
    }

    /// The next name at or after `cursor` in the order of listing, with its place.
    pub(super) fn next_entry(&self, cursor: u64) -> Option<(u64, &[u8], Ino)> {
        let (&cookie, name) = self.order.range(cursor..).next()?;
        Some((cookie, name, self.get(name)?))
    }

    fn link(&mut self, name: &[u8], ino: Ino) {
        self.unlink(name);
        self.last_cookie += 1;
        let cookie = self.last_cookie;
        self.entries.insert(name.to_vec(), Link { ino, cookie });
        self.order.insert(cookie, name.to_vec());
    }

    fn unlink(&mut self, name: &[u8]) -> Option<Ino> {
        let link = self.entries.remove(name)?;
        self.order.remove(&link.cookie);
        Some(link.ino)
    }

    /// Gives `ino` a name; what had it has none.
    pub(super) fn add(&mut self, name: &[u8], ino: Ino) -> Option<Ino> {
        let replaced = self.get(name);
        self.link(name, ino);
        self.pending.push(vec![(name.to_vec(), Some(ino))]);
        replaced
    }

    /// Takes a name away, and says what it stood for.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Ino> {
        let ino = self.unlink(name)?;
        self.pending.push(vec![(name.to_vec(), None)]);
        Some(ino)
    }

    /// Renames; says whether there was such a name, and what had the new one.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Option<Option<Ino>> {
        let ino = self.unlink(from)?;
        let replaced = self.get(to);
        self.link(to, ino);
        let change = vec![(from.to_vec(), None), (to.to_vec(), Some(ino))];
        self.pending.push(change);
        Some(replaced)
    }

    /// Makes the entries durable; returns what has lost a name, or had one for some time.
    pub(super) fn sync(&mut self) -> Vec<Ino> {
        let mut touched = Vec::new();
        for change in self.pending.drain(..) {
            for (name, ino) in &change {
                touched.extend(self.durable.get(name));
                touched.extend(ino);
            }
            apply(&mut self.durable, &change);
        }
        touched
    }

    /// Each change survives or not, as `survival` says.
    pub(super) fn power_loss(&mut self, survival: &mut Survival<'_>) {
        for change in self.pending.drain(..) {
            if survival.entry() {
                apply(&mut self.durable, &change);
            }
        }
        self.entries.clear();
        self.order.clear();
        self.last_cookie = 0;
        for (name, ino) in self.durable.clone() {
            self.link(&name, ino);
        }
    }
}
