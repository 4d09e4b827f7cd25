//! What listings leave out.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use proto_core::wire::Entry;
use proto_core::{FileError, Filter, FilterBelow, Operation, Outcome};

use super::{Result, World, path};
use crate::executor::check_filter;

/// The paths below `base` that a walk finds, as the core walks: what is left out is not looked into.
fn walk(
    world: &World,
    base: &str,
    rules: &str,
    gitignore: bool,
    max: u32,
) -> Result<BTreeSet<String>> {
    let rules = rules.as_bytes().to_vec();
    let filter = Arc::new(FilterBelow {
        base: path(base),
        filter: Filter { rules, gitignore },
    });
    let (mut found, mut todo) = (BTreeSet::new(), vec![base.to_owned()]);
    while let Some(directory) = todo.pop() {
        let mut cursor = Some(0);
        while let Some(from) = cursor {
            let list = Operation::List {
                root: world.root,
                path: path(&directory),
                cursor: from,
                max,
                versions: true,
                filter: Some(filter.clone()),
            };
            let Outcome::Page {
                entries,
                versions,
                next,
            } = world.run(list)?
            else {
                panic!("no page");
            };
            let (mut rest, mut count) = (entries.as_slice(), 0);
            while !rest.is_empty() {
                let entry = Entry::decode(&mut rest).unwrap();
                let name = std::str::from_utf8(entry.name).unwrap();
                let at = format!("{directory}/{name}");
                if entry.kind == proto_core::wire::EntryKind::Directory {
                    todo.push(at.clone());
                }
                found.insert(at[base.len() + 1..].to_owned());
                count += 1;
            }
            assert_eq!(versions.len(), count);
            cursor = next;
        }
    }
    Ok(found)
}

fn plant(world: &World, names: &[&str]) {
    for name in names {
        let at = world.at(name);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, b"").unwrap();
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn rules_are_about_paths_below_the_base() {
    let world = World::new();
    plant(
        &world,
        &[
            "b/a.o",
            "b/a.c",
            "b/d/a.o",
            "b/d/keep.o",
            "b/t/x",
            "b/d/t/y",
            "b/only/z",
        ],
    );
    let all = [
        "a.o", "a.c", "d", "d/a.o", "d/keep.o", "d/t", "d/t/y", "t", "t/x", "only", "only/z",
    ];
    for max in [64, 70_000] {
        let walk = |rules| walk(&world, "b", rules, false, max).unwrap();
        assert_eq!(walk(""), set(&all));
        let kept = [
            "a.c", "d", "d/keep.o", "d/t", "d/t/y", "t", "t/x", "only", "only/z",
        ];
        assert_eq!(walk("*.o\n!keep.o\n# a comment\n"), set(&kept));
        // Anchored: the one at the top, with all below it.
        let kept = [
            "a.o", "a.c", "d", "d/a.o", "d/keep.o", "d/t", "d/t/y", "only", "only/z",
        ];
        assert_eq!(walk("/t/"), set(&kept));
        let kept = ["a.o", "a.c", "d", "d/a.o", "d/keep.o", "only", "only/z"];
        assert_eq!(walk("t/\n"), set(&kept));
        // Nothing but what is named.
        assert_eq!(walk("/*\n!/only"), set(&["only", "only/z"]));
    }
    assert_eq!(
        walk(&world, "b/d", "/t", false, 70_000).unwrap(),
        set(&["a.o", "keep.o"])
    );
}

#[test]
fn gitignore_files_count_where_they_stand() {
    let world = World::new();
    plant(
        &world,
        &[
            "b/a.o",
            "b/x.c",
            "b/.git/HEAD",
            "b/d/a.o",
            "b/d/b.o",
            "b/d/e/b.o",
            "b/d/e/c.tmp",
            "b/f/c.tmp",
            "b/f/g/a.o",
        ],
    );
    fs::write(world.at("b/.gitignore"), "*.o\n").unwrap();
    fs::write(world.at("b/d/.gitignore"), "!b.o\n*.tmp\n[\n").unwrap();
    let found = walk(&world, "b", "", true, 70_000).unwrap();
    let kept = [
        ".gitignore",
        "x.c",
        "d",
        "d/.gitignore",
        "d/b.o",
        "d/e",
        "d/e/b.o",
        "f",
        "f/c.tmp",
        "f/g",
    ];
    assert_eq!(found, set(&kept));
    // Rules of the job outweigh them; what is above the base does not count.
    let found = walk(&world, "b", "!a.o\nx.c", true, 70_000).unwrap();
    assert!(found.contains("a.o") && found.contains("d/a.o") && !found.contains("x.c"));
    let found = walk(&world, "b/f", "", true, 70_000).unwrap();
    assert_eq!(found, set(&["c.tmp", "g", "g/a.o"]));
}

#[test]
fn bad_rules_are_told_and_no_reason_to_panic() {
    let world = World::new();
    plant(&world, &["b/a"]);
    let filter = |rules: &[u8]| Filter {
        rules: rules.to_vec(),
        gitignore: false,
    };
    assert_eq!(check_filter(&filter(b"*.o\n!a\n\n#x")), Ok(()));
    let told = check_filter(&filter(b"*.o\n[z-a]")).unwrap_err();
    assert!(told.starts_with("[z-a]: "), "{told}");
    assert!(check_filter(&filter(b"\xff")).is_err());
    assert_eq!(
        walk(&world, "b", "[z-a]", false, 1_000),
        Err(FileError::BadName)
    );
}
