use super::*;

/// Bytes of a write.
const BLOCK: usize = 64 * 1024;
use crate::rng::Rng;

fn bytes(content: &Content) -> Vec<u8> {
    let mut bytes = vec![0xaa; content.len() as usize + 3];
    assert_eq!(content.read(0, &mut bytes) as u64, content.len());
    bytes.truncate(content.len() as usize);
    bytes
}

#[test]
fn a_copy_of_a_huge_generated_file_is_one_extent() {
    let source = Content::generated(42, 5 << 30);
    let mut copy = Content::default();
    let mut block = vec![0; BLOCK];
    // From the end to the front and then the middle: any order ends in one run.
    for at in [3_u64, 1, 0, 2] {
        let at = at * BLOCK as u64;
        source.read(at, &mut block);
        copy.write(at, &block);
    }
    assert_eq!(copy.extents(), 1);
    copy.set_len(BLOCK as u64 * 4 - 5);
    assert_eq!(copy, Content::generated(42, BLOCK as u64 * 4 - 5));
    assert_eq!(source, Content::generated(42, 5 << 30));
    assert_ne!(source, Content::generated(43, 5 << 30));
}

#[test]
fn a_changed_byte_is_seen() {
    let mut copy = Content::generated(1, 100_000);
    let mut byte = [0];
    copy.read(77_777, &mut byte);
    copy.write(77_777, &[byte[0] ^ 1]);
    assert_ne!(copy, Content::generated(1, 100_000));
    copy.write(77_777, &byte);
    assert_eq!(copy, Content::generated(1, 100_000));
}

#[test]
fn generated_bytes_do_not_depend_on_how_they_are_read() {
    let content = Content::generated(9, 1_000);
    let whole = bytes(&content);
    for start in [0, 1, 7, 8, 9, 500, 995] {
        for len in [0, 1, 3, 8, 17] {
            let mut part = vec![0; len];
            let got = content.read(start, &mut part);
            assert_eq!(got, len.min(1_000 - start as usize));
            assert_eq!(part[..got], whole[start as usize..start as usize + got]);
        }
    }
}

#[test]
fn any_writes_give_what_a_vector_gives() {
    let mut rng = Rng::new(10, 0);
    for _ in 0..300 {
        let mut content = Content::default();
        let mut model: Vec<u8> = Vec::new();
        for _ in 0..40 {
            let at = rng.below(200);
            if rng.one_in(5) {
                content.set_len(at);
                model.resize(at as usize, 0);
                continue;
            }
            let mut data = vec![0; rng.below(60) as usize];
            if rng.one_in(2) {
                generate(rng.below(2), at, &mut data);
            } else {
                data.fill_with(|| rng.next_u64() as u8);
            }
            content.write(at, &data);
            let end = at as usize + data.len();
            if !data.is_empty() {
                model.resize(model.len().max(end), 0);
                model[at as usize..end].copy_from_slice(&data);
            }
        }
        assert_eq!(bytes(&content), model);
        assert_eq!(content, Content::from_bytes(&model));
        assert_eq!(content.allocated(), content.allocated_in(0, u64::MAX));
    }
}
