//! Paths as they travel: bytes, relative, `/` between components.

use alloc::vec::Vec;
use core::fmt;

/// A relative path of at most 64 components and 4,096 bytes; empty for the directory where it begins (F5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FilePath(Vec<u8>);

/// Why bytes are no [`FilePath`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    /// More than 4,096 bytes.
    #[error("the path is longer than 4096 bytes")]
    TooLong,
    /// More than 64 components.
    #[error("the path has more than 64 components")]
    TooDeep,
    /// A component of more than 255 bytes.
    #[error("a name in the path is longer than 255 bytes")]
    NameTooLong,
    /// An empty component: two slashes together, or one at either end.
    #[error("the path has an empty component")]
    EmptyName,
    /// `.` or `..`.
    #[error("the path has a `.` or `..` component")]
    Dots,
    /// A NUL byte.
    #[error("the path has a NUL byte")]
    Nul,
}

impl FilePath {
    /// Bytes that a path may have.
    pub const MAX_LEN: usize = 4096;
    /// Components that a path may have.
    pub const MAX_DEPTH: usize = 64;
    /// Bytes that a component may have.
    pub const MAX_NAME: usize = 255;

    /// The directory where paths begin.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Checks `bytes` by the rules of F5.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.is_empty() {
            return Ok(Self::root());
        }
        if bytes.len() > Self::MAX_LEN {
            return Err(PathError::TooLong);
        }
        if bytes.contains(&0) {
            return Err(PathError::Nul);
        }
        for (depth, name) in bytes.split(|&b| b == b'/').enumerate() {
            match name {
                _ if depth >= Self::MAX_DEPTH => return Err(PathError::TooDeep),
                b"" => return Err(PathError::EmptyName),
                b"." | b".." => return Err(PathError::Dots),
                _ if name.len() > Self::MAX_NAME => return Err(PathError::NameTooLong),
                _ => {}
            }
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the directory where paths begin.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components, in order.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|name| !name.is_empty())
    }

    /// The last component; `None` for the root.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.components().last()
    }

    /// The directory that holds the path; the root for a path of one component.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(slash) => Self(self.0[..slash].to_vec()),
            None => Self::root(),
        }
    }

    /// The path of the first `count` components; all of it when it has no more.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let slashes = self.0.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let end = match count {
            0 => 0,
            _ => slashes
                .map(|(at, _)| at)
                .nth(count - 1)
                .unwrap_or(self.0.len()),
        };
        Self(self.0[..end].to_vec())
    }

    /// `self` and one more component.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn join(&self, name: &[u8]) -> Result<Self, PathError> {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        if name.is_empty() {
            return Err(PathError::EmptyName);
        }
        bytes.extend_from_slice(name);
        Self::parse(&bytes)
    }

    /// Whether a component begins with `.dhow-`: the system's own temporary and state files (F8).
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.components().any(|name| name.starts_with(b".dhow-"))
    }

    /// Whether a component holds a byte below 0x20 or 0x7F (F7).
    #[must_use]
    pub fn has_control_bytes(&self) -> bool {
        self.0.iter().any(|&b| b < 0x20 || b == 0x7f)
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FilePath(\"{}\")", self.0.escape_ascii())
    }
}
