//! Connection ids that look random and say where their session is: the shard and the slot, encrypted, and which of the
//! session's ids it is.
//!
//! A received id leads to its session in O(1), without a table and without hashing (T1). The cipher only hides the
//! numbers from observers; nothing is authenticated by it.

use crate::config::Shard;
use crate::rng::Rng;
use crate::slab::Key;
use crate::wire::ConnectionId;

/// Slots that ids can tell apart.
pub(crate) const SLOTS_MAX: u32 = 1 << 24;
/// Rounds of Speck64/128 (Beaulieu et al., "The SIMON and SPECK families", 2013).
const ROUNDS: usize = 27;
/// Bits of a slot; the shard stands above them.
const SLOT_BITS: u32 = 24;

/// Speck64/128 under a key of this endpoint.
pub(crate) struct IdCipher {
    keys: [u32; ROUNDS],
    shard: u8,
}

/// The session that an id names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Slot of the session.
    pub(crate) index: u32,
    /// Low bits of the slot's generation.
    generation: u16,
    /// Which of the session's ids.
    pub(crate) sequence: u16,
}

impl Place {
    /// Whether this is where `key` is.
    pub(crate) fn is(self, key: Key) -> bool {
        self.index == key.index && self.generation == key.generation as u16
    }
}

impl IdCipher {
    /// The cipher of an endpoint of its own, or of one shard among others.
    pub(crate) fn new(rng: &mut Rng, shard: Option<&Shard>) -> Self {
        let mut key = [0; 16];
        rng.fill(&mut key);
        match shard {
            None => Self::with_key(key, 0),
            Some(shard) => Self::with_key(*shard.key(), shard.index()),
        }
    }

    fn with_key(key: [u8; 16], shard: u8) -> Self {
        let word = |n: usize| u32::from_le_bytes([key[n], key[n + 1], key[n + 2], key[n + 3]]);
        let (mut k, mut l) = (word(0), [word(4), word(8), word(12)]);
        let mut keys = [0; ROUNDS];
        for (round, slot) in keys.iter_mut().enumerate() {
            *slot = k;
            let i = round % 3;
            (l[i], k) = mix(l[i], k, round as u32);
        }
        Self { keys, shard }
    }

    /// An id of the session at `key`, whose slot is below [`SLOTS_MAX`].
    pub(crate) fn issue(&self, key: Key, sequence: u16) -> ConnectionId {
        let low = key.generation << 16 | u32::from(sequence);
        let (mut x, mut y) = (key.index | u32::from(self.shard) << SLOT_BITS, low);
        for &k in &self.keys {
            (x, y) = mix(x, y, k);
        }
        let mut id = [0; 8];
        id[..4].copy_from_slice(&y.to_le_bytes());
        id[4..].copy_from_slice(&x.to_le_bytes());
        ConnectionId(id)
    }

    /// Where the id's session is, if this endpoint issued it; `None` for most others.
    pub(crate) fn find(&self, id: ConnectionId) -> Option<Place> {
        let (shard, place) = self.open(id);
        (shard == self.shard).then_some(place)
    }

    /// The shard that the id names, and the place there; of an id that no shard issued, anything.
    pub(crate) fn open(&self, id: ConnectionId) -> (u8, Place) {
        let id = id.0;
        let mut y = u32::from_le_bytes([id[0], id[1], id[2], id[3]]);
        let mut x = u32::from_le_bytes([id[4], id[5], id[6], id[7]]);
        for &k in self.keys.iter().rev() {
            y = (y ^ x).rotate_right(3);
            x = (x ^ k).wrapping_sub(y).rotate_left(8);
        }
        let place = Place {
            index: x & (SLOTS_MAX - 1),
            generation: (y >> 16) as u16,
            sequence: y as u16,
        };
        ((x >> SLOT_BITS) as u8, place)
    }
}

fn mix(x: u32, y: u32, key: u32) -> (u32, u32) {
    let x = x.rotate_right(8).wrapping_add(y) ^ key;
    (x, y.rotate_left(3) ^ x)
}

impl core::fmt::Debug for IdCipher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("IdCipher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The test vector of the Speck64/128 paper.
    #[test]
    fn is_speck_64_128() {
        let mut key = [0; 16];
        for (n, word) in [0x0302_0100_u32, 0x0b0a_0908, 0x1312_1110, 0x1b1a_1918]
            .iter()
            .enumerate()
        {
            key[n * 4..][..4].copy_from_slice(&word.to_le_bytes());
        }
        let cipher = IdCipher::with_key(key, 0);
        let (mut x, mut y) = (0x3b72_6574_u32, 0x7475_432d_u32);
        for &k in &cipher.keys {
            (x, y) = mix(x, y, k);
        }
        assert_eq!((x, y), (0x8c6f_a548, 0x454e_028b));
    }

    #[test]
    fn ids_lead_back_to_their_slot_and_no_other() {
        let cipher = IdCipher::with_key(*b"0123456789abcdef", 0);
        for index in [0, 1, 2, 1000, SLOTS_MAX - 1] {
            for (generation, sequence) in [(0, 0), (1, 3), (0xffff, 0xffff), (0x1_0005, 1)] {
                let key = Key { index, generation };
                let place = cipher.find(cipher.issue(key, sequence)).unwrap();
                assert!(place.is(key));
                assert_eq!(place.sequence, sequence);
                assert!(!place.is(Key {
                    index,
                    generation: generation + 1
                }));
            }
        }
        let strangers =
            (0..10_000_u64).filter(|n| cipher.find(ConnectionId(n.to_be_bytes())).is_some());
        assert!(
            strangers.count() < 200,
            "an id that nobody issued is hardly ever taken for one"
        );
    }

    #[test]
    fn ids_name_their_shard_to_all_shards() {
        let shard = |index| IdCipher::with_key(*b"0123456789abcdef", index);
        let key = Key {
            index: 5,
            generation: 2,
        };
        let id = shard(3).issue(key, 7);
        assert_eq!(shard(0).open(id).0, 3);
        assert!(shard(0).find(id).is_none(), "it is another shard's");
        assert!(shard(3).find(id).is_some_and(|place| place.is(key)));
        assert_ne!(id, shard(0).issue(key, 7));
    }

    proptest! {
        /// A bijection under every key: a slot's id leads back to it alone, and an id that is taken for a slot's is the one
        /// that would be issued for it.
        #[test]
        fn ids_and_slots_are_one_to_one(
            key: [u8; 16],
            slots in prop::collection::btree_set((0..SLOTS_MAX, any::<u16>(), any::<u16>()), 2..20),
            strangers in prop::collection::vec(any::<[u8; 8]>(), 0..300),
        ) {
            let cipher = IdCipher::with_key(key, 0);
            let mut issued = Vec::new();
            for (index, generation, sequence) in slots {
                let key = Key { index, generation: generation.into() };
                let id = cipher.issue(key, sequence);
                let place = cipher.find(id);
                prop_assert_eq!(place, Some(Place { index, generation, sequence }));
                prop_assert!(place.is_some_and(|place| place.is(key)));
                prop_assert!(!issued.contains(&id), "two slots of one id");
                issued.push(id);
            }
            for id in strangers.into_iter().map(ConnectionId) {
                if let Some(Place { index, generation, sequence }) = cipher.find(id) {
                    let key = Key { index, generation: generation.into() };
                    prop_assert_eq!(cipher.issue(key, sequence), id);
                }
            }
        }
    }
}
