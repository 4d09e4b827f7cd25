use std::collections::BTreeMap;

use proto_core::wire::EntryKind;

use super::*;

/// The naive model: names to bytes and kinds.
#[derive(Default)]
struct Model {
    files: BTreeMap<String, Vec<u8>>,
    handles: BTreeMap<u64, String>,
}

#[test]
fn any_operations_give_what_a_map_gives() {
    let mut rng = Rng::new(11, 0);
    for _ in 0..100 {
        let mut disk = disk(DiskPlan::default());
        let mut model = Model::default();
        for file in 0..60 {
            step(&mut disk, &mut model, &mut rng, file);
            let names: Vec<_> = model.files.keys().map(|n| n.clone().into_bytes()).collect();
            assert_eq!(list(&mut disk, 200), names);
            for (name, bytes) in &model.files {
                assert_eq!(content(&disk, name).as_ref(), Some(bytes));
                let meta = disk.meta(ROOT, &path(name)).unwrap();
                assert_eq!(
                    (meta.kind, meta.size),
                    (EntryKind::File, bytes.len() as u64)
                );
            }
            if rng.one_in(10) {
                for (file, _) in std::mem::take(&mut model.handles) {
                    close(&mut disk, file).unwrap();
                }
            }
        }
        let used: usize = model.files.values().map(Vec::len).sum();
        for (file, _) in std::mem::take(&mut model.handles) {
            close(&mut disk, file).unwrap();
        }
        assert_eq!(disk.tree.used(), used as u64);
    }
}

/// One random operation on both.
fn step(disk: &mut Disk, model: &mut Model, rng: &mut Rng, file: u64) {
    let names = ["a", "b", "c", "d"];
    let (name, other) = (*rng.pick(&names), *rng.pick(&names));
    match rng.below(5) {
        0 => {
            let result = create(disk, name, file);
            assert_eq!(result.is_ok(), !model.files.contains_key(name));
            if result.is_ok() {
                model.files.insert(name.into(), Vec::new());
                model.handles.insert(file, name.into());
            }
        }
        1 => {
            let Some((&file, name)) = model.handles.iter().next() else {
                return;
            };
            let bytes = vec![rng.next_u64() as u8; rng.below(100) as usize];
            write(disk, file, 0, &bytes).unwrap();
            let model = model.files.get_mut(name).unwrap();
            model.resize(model.len().max(bytes.len()), 0);
            model[..bytes.len()].copy_from_slice(&bytes);
        }
        2 if name != other => {
            let replace = rng.one_in(2);
            let result = rename(disk, name, other, replace);
            let there = model.files.contains_key(other);
            let may = model.files.contains_key(name) && (replace || !there);
            assert_eq!(result.is_ok(), may);
            if may {
                let bytes = model.files.remove(name).unwrap();
                model.files.insert(other.into(), bytes);
                forget(disk, model, other);
                for handle in model.handles.values_mut().filter(|h| *h == name) {
                    *handle = other.into();
                }
            }
        }
        3 => {
            assert_eq!(
                remove(disk, name).is_ok(),
                model.files.remove(name).is_some()
            );
            forget(disk, model, name);
        }
        _ => {
            let result = open(disk, name, file);
            assert_eq!(result.is_ok(), model.files.contains_key(name));
            if result.is_ok() {
                let bytes = read(disk, file, 0).unwrap();
                assert_eq!(Some(&bytes), model.files.get(name));
                close(disk, file).unwrap();
            }
        }
    }
}

/// Closes the handles of a file that has no name any more.
fn forget(disk: &mut Disk, model: &mut Model, name: &str) {
    let gone: Vec<u64> = (model.handles.iter())
        .filter(|(_, handle)| *handle == name)
        .map(|(file, _)| *file)
        .collect();
    for file in gone {
        model.handles.remove(&file);
        close(disk, file).unwrap();
    }
}
