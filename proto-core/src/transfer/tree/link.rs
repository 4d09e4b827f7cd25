//! Which symbolic links may be made.

/// Whether a link to `target`, in a directory `depth` levels below the copied one, stays in that one: `target` goes up at
/// most to it, and only at its beginning. Then it cannot leave, even by way of other such links.
pub(super) fn is_safe(target: &[u8], depth: usize) -> bool {
    if target.is_empty() || target[0] == b'/' || target.contains(&0) {
        return false;
    }
    let mut ups = 0;
    let mut down = false;
    for part in target.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if down || ups == depth => return false,
            b".." => ups += 1,
            _ => down = true,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_safe;

    #[test]
    fn c1_links_stay_in_the_copied_directory() {
        for good in [
            &b"a"[..],
            b"a/b",
            b"./a",
            b"../a",
            b"../..",
            b".././../a//b",
            b"...",
        ] {
            assert!(is_safe(good, 2), "{}", good.escape_ascii());
        }
        for bad in [
            &b""[..],
            b"/",
            b"/etc",
            b"../../../a",
            b"a/..",
            b"a/../../b",
            b"../a/../b",
            b"a\0b",
            b"../../..",
        ] {
            assert!(!is_safe(bad, 2), "{}", bad.escape_ascii());
        }
        assert!(is_safe(b"a", 0) && !is_safe(b"..", 0));
    }
}
