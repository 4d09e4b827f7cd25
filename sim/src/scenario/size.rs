use crate::rng::Rng;

/// Sizes at which something changes: nothing, one byte, the classic message, a block, a piece.
const BORDERS: [u64; 14] = [
    0,
    1,
    999,
    1_000,
    1_001,
    (16 << 10) + 1,
    (64 << 10) - 1,
    64 << 10,
    (64 << 10) + 1,
    128 << 10,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    (1 << 20) + (64 << 10) + 1,
];

/// A file's size: a border in one case of five, otherwise 0 to 1 MB, each order of magnitude as likely as any.
pub fn draw_size(rng: &mut Rng) -> u64 {
    if rng.one_in(5) {
        *rng.pick(&BORDERS)
    } else {
        rng.log_uniform(1_000_000)
    }
}
