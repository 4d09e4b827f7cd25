//! BLAKE3 over blocks: subtree values computed wherever the bytes are, merged into pieces and a root.

use blake3::Hasher;
use blake3::hazmat::HasherExt;

use super::HashAs;

/// Size of a piece in bytes: the unit of verification on the way (`docs/PROTOCOL.md`).
pub const PIECE_SIZE: u64 = 1 << 20;

/// What an executor returns with a `Read` or `Write` of `bytes` at `offset` of a file: a pure function.
///
/// `offset` is a multiple of [`BLOCK_SIZE`](super::BLOCK_SIZE) and `bytes` at most one block, not empty for
/// [`HashAs::Subtree`]; otherwise the answer is zeros.
#[must_use]
pub fn block_value(bytes: &[u8], offset: u64, hash: HashAs) -> [u8; 32] {
    match hash {
        HashAs::Nothing => [0; 32],
        HashAs::Root => *blake3::hash(bytes).as_bytes(),
        HashAs::Subtree => {
            let aligned = offset % u64::from(super::BLOCK_SIZE) == 0;
            if bytes.is_empty() || bytes.len() > super::BLOCK_SIZE as usize || !aligned {
                return [0; 32];
            }
            let mut hasher = Hasher::new();
            hasher.set_input_offset(offset);
            hasher.update(bytes);
            hasher.finalize_non_root()
        }
    }
}
