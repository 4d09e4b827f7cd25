//! Neighbouring blocks in one system call.

use super::*;
use crate::executor::joined::{follows, move_together, share};
use proto_core::block_value;

const SIZE: u64 = BLOCK_SIZE as u64;

fn read(file: u64, offset: u64) -> Operation {
    Operation::Read {
        file: FileId(file),
        offset,
        len: BLOCK_SIZE,
        block: Block::new(),
        hash: HashAs::Subtree,
    }
}

fn write(file: u64, offset: u64, bytes: &[u8]) -> Operation {
    let mut block = Block::new();
    block.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    Operation::Write {
        file: FileId(file),
        offset,
        len: bytes.len() as u32,
        block,
        hash: HashAs::Subtree,
    }
}

/// The bytes of an operation's block, and its answer.
type Answer = (Vec<u8>, Result<Outcome>);

/// Carries all out together: bytes that the one call moved, and what came of each.
fn together(world: &World, mut all: Vec<Operation>) -> (usize, Vec<Answer>) {
    let moved = move_together(&world.disk, all.iter_mut());
    let mut left = moved;
    let answers = all.into_iter().map(|what| {
        let already = share(&mut left, &what);
        let (block, result) = world.disk.perform(what, already);
        let len = match result {
            Ok(Outcome::Moved { len, .. }) => len as usize,
            _ => 0,
        };
        (
            block.expect("it comes home").bytes()[..len].to_vec(),
            result,
        )
    });
    (moved, answers.collect())
}

#[test]
fn neighbours_of_one_file_and_direction_follow() {
    let first = read(1, 0);
    assert!(follows(&first, &read(1, SIZE)));
    assert!(!follows(&first, &read(2, SIZE)), "another file");
    assert!(!follows(&first, &read(1, 2 * SIZE)), "a gap");
    assert!(!follows(&first, &read(1, 0)), "the same place");
    assert!(
        !follows(&first, &write(1, SIZE, b"x")),
        "the other direction"
    );
    let sync = Operation::Sync { file: FileId(1) };
    assert!(!follows(&first, &sync) && !follows(&sync, &first));
}

/// Three blocks and a bit, written and read in one call each; the last read is short, at the end of the file.
#[test]
fn blocks_arrive_whole_and_each_with_its_value() {
    let world = World::new();
    world.create("f", 1).unwrap();
    let bytes: Vec<u8> = (0..3 * SIZE + 100).map(|n| (n % 251) as u8).collect();
    let parts: Vec<&[u8]> = bytes.chunks(SIZE as usize).collect();
    let place = |at: usize| at as u64 * SIZE;
    let writes = parts.iter().enumerate();
    let writes = writes.map(|(at, part)| write(1, place(at), part)).collect();
    let (moved, written) = together(&world, writes);
    if cfg!(target_os = "linux") {
        assert_eq!(moved, bytes.len());
    }
    assert_eq!(fs::read(world.at("f")).unwrap(), bytes);
    let (moved, seen) = together(&world, (0..4).map(|at| read(1, place(at))).collect());
    if cfg!(target_os = "linux") {
        assert_eq!(moved, bytes.len());
    }
    for (at, part) in parts.iter().enumerate() {
        let expected = Ok(Outcome::Moved {
            len: part.len() as u32,
            value: block_value(part, place(at), HashAs::Subtree),
        });
        assert_eq!(written[at].1, expected);
        assert_eq!(seen[at], (part.to_vec(), expected));
    }
}

#[test]
fn each_operation_has_its_own_answer_when_the_call_moves_nothing() {
    let world = World::new();
    let (moved, answers) = together(&world, vec![read(9, 0), read(9, SIZE)]);
    assert_eq!(moved, 0);
    for (_, answer) in answers {
        assert_eq!(answer, Err(FileError::Io), "the file is not open");
    }
    // Nothing lies behind the end of a file.
    world.create("empty", 1).unwrap();
    let (moved, answers) = together(&world, vec![read(1, SIZE), read(1, 2 * SIZE)]);
    assert_eq!(moved, 0);
    assert!(
        answers
            .iter()
            .all(|(bytes, answer)| bytes.is_empty() && answer.is_ok())
    );
}
