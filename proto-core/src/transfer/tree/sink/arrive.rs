//! What the source says of files.

use alloc::collections::BTreeSet;

use super::fold::fold;
use super::node::{Directory, Node, State};
use super::{ROOT, TreeSink};
use crate::file::Value;
use crate::transfer::Context;
use crate::transfer::codes::{Fault, is_passing};
use crate::transfer::tree::{SMALL_MAX, number, units};
use crate::wire::{CloseCode, Entry, EntryKind, ErrorCode, FilePath};

/// Ranges that a small body may consist of while it gathers (M1).
const RANGES_MAX: usize = 64;

impl TreeSink {
    /// The number of a file of which there is still something to say.
    fn open(&self, file: u64) -> Result<Option<u32>, Fault> {
        let file = number(file)?;
        let over = self.aborted || self.over.contains(file.into());
        let settled = self
            .nodes
            .get(&file)
            .is_some_and(|node| node.outcome.is_some());
        Ok((!over && !settled).then_some(file))
    }

    /// Notes that a file takes at least so many units.
    fn charge(&mut self, file: u32, units: u64) -> Result<(), Fault> {
        let node = self.nodes.entry(file).or_insert_with(Node::unknown);
        let more = units.saturating_sub(node.charged);
        node.charged += more;
        if self.units.take(more) {
            Ok(())
        } else {
            Err(Fault::Session(CloseCode::FlowControl))
        }
    }

    /// The source says what a file is.
    pub(in crate::transfer) fn handle_entry(
        &mut self,
        cx: &mut Context<'_>,
        file: u64,
        parent: u64,
        version: &[u8; 16],
        entry: &Entry<'_>,
    ) -> Result<(), Fault> {
        let Some(file) = self.open(file)? else {
            return Ok(());
        };
        let parent = number(parent)?;
        self.charge(file, 1)?;
        let is_root = file == ROOT;
        let Some(node) = self.nodes.get_mut(&file).filter(|node| !node.is_known()) else {
            return Ok(());
        };
        let named = FilePath::parse(entry.name).is_ok_and(|path| path.components().count() == 1);
        if named == is_root
            || (is_root && (parent != ROOT || entry.kind != EntryKind::Directory))
            || (parent >= file && !is_root)
        {
            return Err(Fault::VIOLATION);
        }
        let largest = match entry.kind {
            EntryKind::File => u64::MAX,
            EntryKind::Symlink => FilePath::MAX_LEN as u64,
            EntryKind::Directory | EntryKind::Other => 0,
        };
        let beyond = node.have.last().is_some_and(|range| range.end > entry.size);
        if entry.size > largest || beyond {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        node.parent = parent;
        node.name = entry.name.to_vec();
        (node.kind, node.size) = (entry.kind, entry.size);
        (node.mtime, node.mode) = (entry.mtime, entry.mode);
        node.version = *version;
        node.state = State::Waiting;
        let travels = node.is_link()
            || (entry.kind == EntryKind::File && !node.is_large() && !self.plan.compare);
        if let Some((size, _)) = node.seal.filter(|_| entry.kind != EntryKind::Directory)
            && size != entry.size
        {
            return Err(Fault::VIOLATION);
        }
        if entry.kind != EntryKind::Directory {
            self.files_found += 1;
        }
        if entry.kind == EntryKind::File {
            self.known_bytes += entry.size;
        }
        self.received += 1_024;
        if travels {
            self.charge(file, 1 + units::of_body(entry.size))?;
            self.gathering.insert(file);
        }
        self.place(cx, file)
    }

    /// Finds the place of a file that is known, if its directory is there.
    pub(super) fn place(&mut self, cx: &mut Context<'_>, file: u32) -> Result<(), Fault> {
        let Some(node) = self.nodes.get(&file) else {
            return Ok(());
        };
        if file == ROOT {
            let path = self.plan.to.path.clone();
            return self.directory_known(file, path);
        }
        let parent = node.parent;
        let settled = match self.nodes.get(&parent) {
            Some(parent) => matches!(parent.outcome, Some(Err(_))),
            None => self.over.contains(parent.into()),
        };
        if settled {
            return self.settle(cx, file, Err(ErrorCode::NotFound), true);
        }
        let made = match self.nodes.get(&parent).map(|parent| &parent.state) {
            Some(State::Directory(directory)) => directory.made,
            None | Some(State::Unknown | State::Waiting) => false,
            Some(_) => return Err(Fault::VIOLATION),
        };
        if !made {
            self.orphans.entry(parent).or_default().push(file);
            return Ok(());
        }
        self.placed(cx, file)
    }

    /// A file whose directory is made.
    fn placed(&mut self, cx: &mut Context<'_>, file: u32) -> Result<(), Fault> {
        let Some(node) = self.nodes.get(&file) else {
            return Ok(());
        };
        let refused = node.name.starts_with(b".dhow-")
            || (self.plan.plain_names && node.name.iter().any(|&byte| byte < 0x20 || byte == 0x7f));
        let path = self.path_of(node).filter(|_| !refused);
        if let Some(code) = node.failed {
            return self.settle(cx, file, Err(code), false);
        }
        let Some(path) = path else {
            return self.settle(cx, file, Err(ErrorCode::NameRefused), true);
        };
        if !self.has_name_of_its_own(file) {
            return self.settle(cx, file, Err(ErrorCode::NameCollision), true);
        }
        let Some(node) = self.nodes.get(&file) else {
            return Ok(());
        };
        match node.kind {
            EntryKind::Directory => self.directory_known(file, path),
            EntryKind::Other => self.settle(cx, file, Err(ErrorCode::NotRegular), true),
            EntryKind::File if self.plan.compare => {
                self.set_state(file, State::Looking);
                self.look.push_back(file);
                Ok(())
            }
            EntryKind::File if node.is_large() => {
                self.set_state(file, State::Large);
                self.begin.push_back(file);
                Ok(())
            }
            EntryKind::File | EntryKind::Symlink => {
                self.set_state(file, State::Gathering);
                self.check_whole(cx, file)
            }
        }
    }

    /// Notes the name of a file that finds its place; false when the file system takes it for that of another (F10).
    fn has_name_of_its_own(&mut self, file: u32) -> bool {
        let Some(node) = self.nodes.get(&file) else {
            return true;
        };
        let (parent, folded) = (node.parent, fold(&node.name));
        match self.nodes.get_mut(&parent).map(|node| &mut node.state) {
            Some(State::Directory(Directory {
                names: Some(names), ..
            })) => names.insert(folded),
            _ => true,
        }
    }

    pub(super) fn set_state(&mut self, file: u32, state: State) {
        if let Some(node) = self.nodes.get_mut(&file) {
            node.state = state;
        }
    }

    fn directory_known(&mut self, file: u32, path: FilePath) -> Result<(), Fault> {
        let Some(node) = self.nodes.get_mut(&file) else {
            return Ok(());
        };
        node.state = State::Directory(Directory {
            path,
            made: false,
            new: false,
            count: node.seal.map(|(count, _)| count),
            settled: 0,
            finishing: false,
            names: None,
        });
        self.make.push_back(file);
        Ok(())
    }

    /// A directory is there: its entries find their places.
    pub(super) fn directory_made(
        &mut self,
        cx: &mut Context<'_>,
        file: u32,
        new: bool,
        folds: bool,
    ) -> Result<(), Fault> {
        let Some(Node {
            state: State::Directory(directory),
            failed,
            ..
        }) = self.nodes.get_mut(&file)
        else {
            return Ok(());
        };
        (directory.made, directory.new) = (true, new);
        directory.names = folds.then(BTreeSet::new);
        if let Some(code) = *failed {
            return self.settle(cx, file, Err(code), false);
        }
        for child in self.orphans.remove(&file).unwrap_or_default() {
            self.placed(cx, child)?;
        }
        self.check_directory(file)
    }

    /// Stores a small file or link once it is whole.
    pub(super) fn check_whole(&mut self, cx: &mut Context<'_>, file: u32) -> Result<(), Fault> {
        let Some(node) = self.nodes.get_mut(&file) else {
            return Ok(());
        };
        if !node.is_known() || node.kind == EntryKind::Directory || !node.is_whole() {
            return Ok(());
        }
        self.gathering.remove(&file);
        if !matches!(node.state, State::Gathering) {
            return Ok(());
        }
        let depth = |path: &FilePath| path.components().count();
        let (parent, is_link) = (node.parent, node.is_link());
        if is_link {
            let above = self
                .directory(parent)
                .map_or(0, |directory| depth(&directory.path));
            let below = above.saturating_sub(depth(&self.plan.to.path));
            let target = self.nodes.get(&file).map(|node| node.body.as_slice());
            if !crate::transfer::tree::link::is_safe(target.unwrap_or_default(), below) {
                return self.settle(cx, file, Err(ErrorCode::LinkRefused), true);
            }
        }
        self.set_state(file, State::Storing);
        self.ready.push_back(file);
        Ok(())
    }

    /// Bytes came; false when there is no room for them.
    pub(in crate::transfer) fn handle_data(
        &mut self,
        cx: &mut Context<'_>,
        file: u64,
        offset: u64,
        data: &[u8],
    ) -> Result<bool, Fault> {
        let Some(file) = self.open(file)? else {
            return Ok(true);
        };
        if self.large.contains_key(&file) {
            return self.large_data(cx, file, offset, data);
        }
        let end = offset.saturating_add(data.len() as u64);
        if end > SMALL_MAX {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        let known = self.nodes.get(&file).filter(|node| node.is_known());
        let unasked = known.is_some_and(|node| {
            let travels = node.is_link() || !self.plan.compare || node.want.is_begun();
            end > node.size || node.is_large() || !travels
        });
        if unasked {
            return Err(Fault::Session(CloseCode::FlowControl));
        }
        if known.is_none() {
            self.charge(file, 1 + units::of_body(end))?;
        }
        let Some(node) = self.nodes.get_mut(&file) else {
            return Ok(false);
        };
        let touched = offset.saturating_sub(1)..end + 1;
        if node.have.len() >= RANGES_MAX && !node.have.intersects(touched) {
            return Ok(false);
        }
        let len = if node.is_known() { node.size } else { end };
        if node.body.len() < len as usize {
            node.body.resize(len as usize, 0);
        }
        // Bytes that were there first stay (I4).
        for gap in node.have.missing(offset..end) {
            let to = gap.start as usize..gap.end as usize;
            let from = (gap.start - offset) as usize..(gap.end - offset) as usize;
            if let (Some(to), Some(from)) = (node.body.get_mut(to), data.get(from)) {
                to.copy_from_slice(from);
            }
        }
        self.received += node.have.insert(offset..end);
        self.check_whole(cx, file)?;
        Ok(true)
    }

    /// The source has read all of a file, or told all entries of a directory.
    pub(in crate::transfer) fn handle_seal(
        &mut self,
        cx: &mut Context<'_>,
        file: u64,
        size: u64,
        root: Value,
    ) -> Result<(), Fault> {
        let Some(file) = self.open(file)? else {
            return Ok(());
        };
        if self.large.contains_key(&file) {
            return self.large_seal(cx, file, size, root);
        }
        self.charge(file, 1)?;
        let Some(node) = self.nodes.get_mut(&file) else {
            return Ok(());
        };
        if node.is_known() && node.kind != EntryKind::Directory && size != node.size {
            return Err(Fault::VIOLATION);
        }
        if node.is_large() || node.seal.is_some_and(|(known, _)| known != size) {
            return Err(Fault::VIOLATION);
        }
        node.seal.get_or_insert((size, root));
        self.received += 1_024;
        if let State::Directory(directory) = &mut node.state {
            directory.count = Some(size);
            return self.check_directory(file);
        }
        self.check_whole(cx, file)
    }

    /// The source cannot send a file.
    pub(in crate::transfer) fn handle_failed(
        &mut self,
        cx: &mut Context<'_>,
        file: u64,
        code: ErrorCode,
    ) -> Result<(), Fault> {
        let Some(file) = self.open(file)? else {
            return Ok(());
        };
        self.charge(file, 1)?;
        let Some(node) = self.nodes.get_mut(&file) else {
            return Ok(());
        };
        node.failed = Some(code);
        self.gathering.remove(&file);
        let waits = match &node.state {
            State::Unknown | State::Looking | State::Waiting | State::Storing => true,
            State::Directory(directory) => !directory.made,
            _ => false,
        };
        if waits {
            return Ok(());
        }
        self.end_large(cx, file, is_passing(code));
        self.settle(cx, file, Err(code), false)
    }
}
