//! Directories over real sockets and real disks.

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use transport_std::{
    Durability, EntryKind, ErrorCode, FileReport, Filter, GetOptions, Overwrite, PutOptions,
    ServerEvent, Tree, TreeProgress,
};
use world::{World, refusal};

/// What is told of one path: bytes or target, time in nanoseconds, permission bits.
type Found = BTreeMap<Vec<u8>, (Vec<u8>, i128, u32)>;

/// An independent look at a directory, itself included.
fn look(root: &Path) -> Found {
    let mut found = Found::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let mtime = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        let (content, mode) = if meta.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            (target.as_os_str().as_bytes().to_vec(), 0)
        } else if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()));
            (b"/".to_vec(), meta.mode() & 0o777)
        } else {
            (fs::read(&path).unwrap(), meta.mode() & 0o777)
        };
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
        found.insert(name.to_vec(), (content, mtime, mode));
    }
    found
}

fn plant(root: &Path, files: usize) {
    fs::create_dir_all(root.join("empty")).unwrap();
    for d in 0..5 {
        let directory = root.join(format!("d{d}/sub"));
        fs::create_dir_all(&directory).unwrap();
        for f in 0..files {
            World::make(&directory.join(format!("f{f}")), f * 97 % 5_000, f as u64);
        }
    }
    for size in [0, 1, 65_535, 65_536, 65_537, 400_000, 3_000_000] {
        World::make(&root.join(format!("size {size}")), size, size as u64);
    }
    let odd = std::ffi::OsStr::from_bytes(b"not \xff text");
    World::make(&root.join(odd), 10, 3);
    symlink("d1/sub/f0", root.join("link")).unwrap();
    symlink("../../d2", root.join("d0/sub/up")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    fs::set_permissions(root.join("d1/sub/f0"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o555)).unwrap();
    let past = std::time::UNIX_EPOCH + std::time::Duration::new(1_234_567_890, 123_456_789);
    for path in ["size 1", "d3"] {
        fs::File::open(root.join(path))
            .unwrap()
            .set_modified(past)
            .unwrap();
    }
}

fn reports(each: &mut Vec<FileReport>) -> impl FnMut(TreeProgress) + '_ {
    |step| {
        if let TreeProgress::File(report) = step {
            each.push(report);
        }
    }
}

fn up(world: &World, from: &str, to: &str, options: &PutOptions) -> (Tree, Vec<FileReport>) {
    let mut told = Vec::new();
    let tree = world
        .client()
        .put_tree(world.local(from), to, options, reports(&mut told));
    (tree.unwrap(), told)
}

fn down(world: &World, from: &str, to: &str, options: &GetOptions) -> (Tree, Vec<FileReport>) {
    let mut told = Vec::new();
    let tree = world
        .client()
        .get_tree(from, world.local(to), options, reports(&mut told));
    (tree.unwrap(), told)
}

#[test]
fn trees_go_both_ways() {
    for durability in [Durability::Full, Durability::File, Durability::None] {
        let world = World::new();
        plant(&world.local("tree"), 40);
        let options = PutOptions {
            durability,
            ..PutOptions::default()
        };
        let (sent, told) = up(&world, "tree", "there", &options);
        assert_eq!(look(&world.local("tree")), look(&world.shared("there")));
        assert_eq!(
            (sent.totals.failed, sent.totals.files, sent.totals.links),
            (0, 208, 3)
        );
        assert_eq!(told.len(), 208 + 3 + 12);
        let written = told.iter().filter(|report| report.kind == EntryKind::File);
        assert!(
            written
                .into_iter()
                .all(|report| report.root.is_some() && report.durability == durability)
        );
        let options = GetOptions {
            durability,
            ..GetOptions::default()
        };
        let (got, _) = down(&world, "there", "back", &options);
        assert_eq!(got.totals, sent.totals);
        assert_eq!(look(&world.local("tree")), look(&world.local("back")));
        world.assert_clean();
    }
}

#[test]
fn what_is_the_same_stays() {
    let world = World::new();
    plant(&world.local("tree"), 20);
    up(&world, "tree", "there", &PutOptions::default());
    World::make(&world.local("tree/d2/sub/f3"), 777, 99);
    World::make(&world.local("tree/d2/new"), 70_000, 98);
    let (again, _) = up(&world, "tree", "there", &PutOptions::default());
    assert_eq!((again.totals.files, again.totals.failed), (2, 0));
    let links = 3;
    assert_eq!(again.totals.unchanged, 107 + links);
    assert_eq!(look(&world.local("tree")), look(&world.shared("there")));
}

#[test]
fn a_directory_that_is_there_is_filled() {
    let world = World::new();
    plant(&world.local("tree"), 3);
    fs::create_dir(world.shared("there")).unwrap();
    World::make(&world.shared("there/own"), 5, 5);
    fs::create_dir(world.shared("there/size 1")).unwrap();
    World::make(&world.shared("there/d4"), 5, 5);
    fs::set_permissions(world.shared("there"), fs::Permissions::from_mode(0o2711)).unwrap();
    let (sent, told) = up(&world, "tree", "there", &PutOptions::default());
    let failed: BTreeMap<_, _> = told
        .into_iter()
        .filter_map(|report| Some((report.path, report.result.err()?)))
        .collect();
    assert_eq!(failed.get(&b"size 1"[..]), Some(&ErrorCode::IsDirectory));
    assert_eq!(failed.get(&b"d4"[..]), Some(&ErrorCode::NotDirectory));
    assert_eq!(sent.totals.failed as usize, failed.len());
    assert!(world.shared("there/own").exists() && world.shared("there/d3/sub/f2").exists());
    // It has the source's time and bits, but for those that come from nobody (F13).
    let (source, target) = (look(&world.local("tree")), look(&world.shared("there")));
    assert_eq!(source[&b""[..]], target[&b""[..]]);
    let mode = fs::metadata(world.shared("there")).unwrap().mode();
    assert_eq!(mode & 0o7000, 0o2000);
    // Nothing is replaced that may not be.
    let never = PutOptions {
        overwrite: Overwrite::Never,
        ..PutOptions::default()
    };
    World::make(&world.local("tree/d1/sub/f1"), 50, 50);
    let before = look(&world.shared("there"));
    let (sent, told) = up(&world, "tree", "there", &never);
    assert!(
        told.iter()
            .any(|report| report.result == Err(ErrorCode::Exists))
    );
    assert_eq!(
        (sent.totals.files, look(&world.shared("there"))),
        (0, before)
    );
}

/// The server cannot say who may look into the user's own directory, nor a user who may into a shared one.
#[test]
fn c2_some_directories_keep_their_bits() {
    let world = World::new();
    plant(&world.local("tree"), 1);
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&world.local("tree"), 0o711);
    set(&world.shared(""), 0o700);
    up(&world, "tree", "", &PutOptions::default());
    let mut source = look(&world.local("tree"));
    source.get_mut(&b""[..]).unwrap().2 = 0o700;
    assert_eq!(source, look(&world.shared("")));
    fs::create_dir(world.local("here")).unwrap();
    set(&world.local("here"), 0o750);
    let options = GetOptions {
        keep_top_mode: true,
        ..GetOptions::default()
    };
    down(&world, "", "here", &options);
    source.get_mut(&b""[..]).unwrap().2 = 0o750;
    assert_eq!(source, look(&world.local("here")));
    down(&world, "", "here", &GetOptions::default());
    assert_eq!(look(&world.shared("")), look(&world.local("here")));
}

#[test]
fn c1_links_that_lead_out_are_not_made() {
    let world = World::new();
    fs::create_dir_all(world.shared("there/sub")).unwrap();
    for (name, target) in [
        ("a", "/etc"),
        ("b", "../x"),
        ("sub/c", "../../x"),
        ("d", "sub/.."),
        ("good", "sub"),
        ("sub/fine", "../good"),
    ] {
        symlink(target, world.shared(&format!("there/{name}"))).unwrap();
    }
    let (got, told) = down(&world, "there", "here", &GetOptions::default());
    assert_eq!((got.totals.links, got.totals.failed), (2, 4));
    let refused = told
        .iter()
        .filter(|report| report.result == Err(ErrorCode::LinkRefused))
        .count();
    assert_eq!(refused, 4);
    assert!(world.local("here/sub/fine").is_symlink() && !world.local("here/a").is_symlink());
}

/// F3: nothing is written through a link that stands where a directory shall.
#[test]
fn c1_links_at_the_target_are_not_followed() {
    let world = World::new();
    plant(&world.shared("there"), 2);
    fs::create_dir_all(world.local("here")).unwrap();
    fs::create_dir_all(world.local("outside")).unwrap();
    symlink(world.local("outside"), world.local("here/d1")).unwrap();
    let (got, _) = down(&world, "there", "here", &GetOptions::default());
    assert!(got.totals.failed > 0);
    assert_eq!(fs::read_dir(world.local("outside")).unwrap().count(), 0);
}

#[test]
fn files_that_cannot_be_read_fail_alone() {
    let world = World::new();
    plant(&world.shared("there"), 2);
    rustix_mkfifo(&world.shared("there/fifo"));
    let (got, told) = down(&world, "there", "here", &GetOptions::default());
    let failed: Vec<_> = told
        .iter()
        .filter(|report| report.result.is_err())
        .collect();
    assert_eq!(got.totals.failed, 1);
    assert_eq!(failed[0].path, b"fifo");
    assert_eq!(failed[0].result, Err(ErrorCode::NotRegular));
}

fn rustix_mkfifo(path: &Path) {
    let status = std::process::Command::new("mkfifo")
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_file_goes_as_a_file() {
    let world = World::new();
    let bytes = World::make(&world.shared("file"), 100_000, 4);
    let (got, told) = down(&world, "file", "copy", &GetOptions::default());
    assert_eq!(fs::read(world.local("copy")).unwrap(), bytes);
    assert_eq!((got.totals.files, told.len()), (1, 1));
    assert!(got.file.is_some());
    let missing =
        world
            .client()
            .get_tree("nothing", world.local("x"), &GetOptions::default(), |_| {});
    assert_eq!(refusal(missing), ErrorCode::NotFound);
}

#[test]
fn the_whole_share_goes_and_the_server_tells() {
    let world = World::new();
    plant(&world.local("tree"), 3);
    up(&world, "tree", "", &PutOptions::default());
    let (got, _) = down(&world, "", "all", &GetOptions::default());
    assert_eq!(look(&world.local("tree")), look(&world.local("all")));
    let events = world.events.lock().unwrap();
    let files = events.iter().filter_map(|event| match event {
        ServerEvent::Files { files, .. } => Some(files.len()),
        _ => None,
    });
    let told: usize = files.sum();
    assert!(told >= got.totals.files as usize);
}

#[test]
fn a_filter_leaves_out_both_ways() {
    let world = World::new();
    let client = world.client();
    plant(&world.shared("tree"), 4);
    fs::write(world.shared("tree/d1/.gitignore"), "sub/f1\n").unwrap();
    let filter = Some(Filter {
        rules: b"f0\n/d2/\n!size *\nsize 65536".to_vec(),
        gitignore: true,
    });
    let mut get = GetOptions::default();
    get.filter.clone_from(&filter);
    client
        .get_tree("tree", world.local("got"), &get, |_| {})
        .unwrap();
    let got = look(&world.local("got"));
    let has = |name: &str| got.contains_key(name.as_bytes());
    assert!(has("d1/sub/f2") && has("d3/sub/f1") && has("size 65537") && has("link"));
    for left_out in ["d1/sub/f1", "d1/sub/f0", "d2", "d2/sub/f2", "size 65536"] {
        assert!(!has(left_out), "{left_out}");
    }
    let put = PutOptions {
        filter,
        ..PutOptions::default()
    };
    client
        .put_tree(world.shared("tree"), "put", &put, |_| {})
        .unwrap();
    assert_eq!(look(&world.shared("put")), got);
    get.filter = Some(Filter {
        rules: b"[z-a]".to_vec(),
        gitignore: false,
    });
    let refused = client.get_tree("tree", world.local("no"), &get, |_| {});
    assert!(refused.unwrap_err().to_string().starts_with("[z-a]: "));
}
