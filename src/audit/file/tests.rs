//! What the log keeps, and what it notices.

use super::*;
use crate::audit::{Broken, Change, Exchange, Follower, Outcome, PolicyRef, Side, tail, verify};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

fn now() -> Timestamp {
    Timestamp::from_second(1_000).unwrap()
}

fn change(subject: &str) -> Record {
    Record::Change(Change {
        time: now(),
        who: "cli".to_owned(),
        what: "key.create",
        subject: subject.to_owned(),
    })
}

fn open(folder: &TempDir) -> Log {
    Log::open(folder.path(), now()).unwrap()
}

/// A synced log of so many records.
fn filled(records: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder);
    for index in 1..=records {
        assert_eq!(
            log.append(&change(&index.to_string())).unwrap(),
            index as u64
        );
    }
    log.flush().unwrap();
    folder
}

fn path(folder: &TempDir, number: u32) -> PathBuf {
    Folder::new(folder.path()).file_path(number)
}

fn check(folder: &TempDir) -> Result<u64, Broken> {
    match verify(folder.path(), |_| {}) {
        Ok(report) => Ok(report.records),
        Err(Error::Broken(broken)) => Err(broken),
        Err(other) => panic!("{other}"),
    }
}

/// Changes the lines of the first file.
fn edit(folder: &TempDir, change: impl FnOnce(&mut Vec<String>)) {
    let path = path(folder, 1);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    change(&mut lines);
    fs::write(&path, lines.concat().replace("}{", "}\n{") + "\n").unwrap();
}

fn subjects(lines: &[String]) -> Vec<String> {
    let subject = |line: &String| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["subject"].to_string()
    };
    lines.iter().map(subject).collect()
}

#[test]
fn an_exchange_is_one_line_with_everything_but_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let side = Side {
        bytes: 120,
        action: "redact",
        level: "low",
        rules: [("secrets.openai_key".to_owned(), 2)].into(),
        ..Side::default()
    };
    let exchange = Exchange {
        time: now(),
        id: "req_1".to_owned(),
        outcome: Outcome::Allowed,
        reason: None,
        status: Some(200),
        key: Some("key_1".to_owned()),
        api: Some("chat".to_owned()),
        provider: Some("openai".to_owned()),
        model: Some("m".repeat(500)),
        stream: true,
        policy: PolicyRef {
            name: "default".to_owned(),
            generation: 3,
        },
        request: side,
        response: Side {
            action: "allow",
            level: "none",
            ..Side::default()
        },
        session_level: None,
        usage: Some(crate::audit::Usage {
            input: 10,
            output: 20,
            cost_micro_usd: None,
        }),
        duration_us: 1_500,
    };
    open(&folder)
        .append(&Record::Exchange(Box::new(exchange)))
        .unwrap();
    let line = fs::read_to_string(path(&folder, 1)).unwrap();
    let (body, hash) = line.split_once(r#","hash":""#).unwrap();
    assert_eq!(hash.len(), 64 + 3);
    let expected = concat!(
        r#"{"seq":1,"kind":"exchange","time":"1970-01-01T00:16:40Z","id":"req_1","outcome":"allowed","status":200,"#,
        r#""key":"key_1","api":"chat","provider":"openai","model":"MODEL","stream":true,"policy":{"name":"default","generation":3},"#,
        r#""request":{"bytes":120,"action":"redact","level":"low","rules":{"secrets.openai_key":2}},"#,
        r#""response":{"bytes":0,"action":"allow","level":"none"},"usage":{"input":10,"output":20},"duration_us":1500"#
    );
    assert_eq!(body, expected.replace("MODEL", &"m".repeat(128)));
}

#[test]
fn a_log_goes_on_after_a_restart() {
    let folder = filled(3);
    assert_eq!(open(&folder).append(&change("4")).unwrap(), 4);
    assert_eq!(check(&folder).unwrap(), 4);
}

/// [audit-222]
#[test]
fn a_changed_line_is_named() {
    let folder = filled(5);
    edit(&folder, |lines| {
        lines[2] = lines[2].replace("key.create", "key.revoke");
    });
    let broken = check(&folder).unwrap_err();
    assert!(matches!(broken, Broken::Line { line: 3, .. }), "{broken}");
    assert!(
        broken
            .to_string()
            .contains("audit-000001.jsonl:3: the hash of record 3"),
        "{broken}"
    );
}

#[test]
fn removed_and_exchanged_lines_are_named() {
    let folder = filled(5);
    edit(&folder, |lines| drop(lines.remove(1)));
    assert!(matches!(check(&folder), Err(Broken::Line { line: 2, .. })));
    let folder = filled(5);
    edit(&folder, |lines| lines.swap(3, 4));
    assert!(matches!(check(&folder), Err(Broken::Line { line: 4, .. })));
}

#[test]
fn a_cut_end_is_found_and_not_built_upon() {
    for left in 0..5 {
        let folder = filled(5);
        edit(&folder, |lines| lines.truncate(left));
        if left == 0 {
            fs::write(path(&folder, 1), "").unwrap();
        }
        let broken = check(&folder).unwrap_err();
        assert!(
            matches!(broken, Broken::CutEnd { found, expected: 5, .. } if found == left as u64),
            "{broken}"
        );
        assert!(matches!(
            Log::open(folder.path(), now()),
            Err(Error::Broken(Broken::CutEnd { .. }))
        ));
    }
}

#[test]
fn a_log_written_anew_does_not_fit_its_head() {
    let folder = filled(3);
    let other = tempfile::tempdir().unwrap();
    let log = open(&other);
    for subject in ["1", "2", "x"] {
        log.append(&change(subject)).unwrap();
    }
    fs::copy(path(&other, 1), path(&folder, 1)).unwrap();
    assert!(matches!(
        check(&folder),
        Err(Broken::Rewritten { seq: 3, .. })
    ));
    assert!(matches!(
        Log::open(folder.path(), now()),
        Err(Error::Broken(Broken::Rewritten { .. }))
    ));
}

#[test]
fn a_missing_or_damaged_head_is_named() {
    for damage in [None, Some(""), Some("{\"seq\":1}")] {
        let folder = filled(3);
        let head = folder.path().join("audit.head");
        match damage {
            None => fs::remove_file(&head).unwrap(),
            Some(text) => fs::write(&head, text).unwrap(),
        }
        assert!(matches!(check(&folder), Err(Broken::NoHead { .. })));
        assert!(matches!(
            Log::open(folder.path(), now()),
            Err(Error::Broken(Broken::NoHead { .. }))
        ));
    }
}

#[test]
fn a_deleted_log_is_not_begun_anew_in_silence() {
    let folder = filled(3);
    fs::remove_file(path(&folder, 1)).unwrap();
    assert!(matches!(
        check(&folder),
        Err(Broken::CutEnd {
            found: 0,
            expected: 3,
            ..
        })
    ));
    assert!(matches!(
        Log::open(folder.path(), now()),
        Err(Error::Broken(Broken::CutEnd { .. }))
    ));
}

/// What kill -9 in the middle of a write leaves, at every byte of the line.
#[test]
fn a_torn_line_is_cut_off_and_that_is_recorded() {
    let whole = filled(3);
    let bytes = fs::read(path(&whole, 1)).unwrap();
    let last = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for at in (last + 1..bytes.len()).step_by(7) {
        let folder = filled(2);
        fs::write(path(&folder, 1), &bytes[..at]).unwrap();
        // The head is that of the two records which are whole here.
        fs::write(
            folder.path().join("audit.head"),
            Head::text(&end_of(&bytes[..last])),
        )
        .unwrap();
        let report = verify(folder.path(), |_| {}).unwrap();
        assert_eq!((report.records, report.torn_bytes), (2, (at - last) as u64));
        let log = open(&folder);
        assert_eq!(log.append(&change("next")).unwrap(), 4);
        let (lines, _) = tail(folder.path(), 2).unwrap();
        assert!(lines[0].contains(&format!(
            r#""kind":"repair","time":"1970-01-01T00:16:40Z","cut_bytes":{}"#,
            at - last
        )));
        assert_eq!(check(&folder).unwrap(), 4);
    }
}

fn end_of(bytes: &[u8]) -> Link {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .rfind(|line| !line.is_empty())
        .unwrap();
    Link::read(line).unwrap()
}

/// Another process that is killed in the middle of a line while this one goes on.
#[test]
fn a_line_torn_by_another_process_is_mended_by_the_next_writer() {
    let folder = filled(1);
    let log = open(&folder);
    log.append(&change("2")).unwrap();
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(path(&folder, 1))
        .unwrap();
    file.write_all(b"{\"seq\":3,\"ki").unwrap();
    assert_eq!(log.append(&change("4")).unwrap(), 4);
    assert_eq!(check(&folder).unwrap(), 4);
}

#[test]
fn several_processes_share_one_chain_across_files() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let folder = &folder;
            scope.spawn(move || {
                let log = Log::open_with(folder.path(), now(), 2_000).unwrap();
                for index in 0..50 {
                    log.append(&change(&format!("{writer}-{index}"))).unwrap();
                }
            });
        }
    });
    let report = verify(folder.path(), |_| {}).unwrap();
    assert_eq!(report.records, 200);
    assert!(report.files > 5, "{}", report.files);
    let (lines, _) = tail(folder.path(), 200).unwrap();
    for writer in 0..4 {
        let own: Vec<_> = subjects(&lines)
            .into_iter()
            .filter(|subject| subject.starts_with(&format!("\"{writer}-")))
            .collect();
        let expected: Vec<_> = (0..50)
            .map(|index| format!("\"{writer}-{index}\""))
            .collect();
        assert_eq!(own, expected);
    }
}

/// A log that has been alone for long keeps the lock between syncs, and still lets others in.
#[test]
fn a_busy_log_gives_way_to_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let (busy, other) = (open(&folder), open(&folder));
    for index in 0..300 {
        busy.append(&change(&index.to_string())).unwrap();
    }
    assert_eq!(other.append(&change("300")).unwrap(), 301);
    assert_eq!(busy.append(&change("301")).unwrap(), 302);
    assert_eq!(other.append(&change("302")).unwrap(), 303);
    busy.flush().unwrap();
    assert_eq!(check(&folder).unwrap(), 303);
}

#[test]
fn a_missing_file_between_others_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open_with(folder.path(), now(), 500).unwrap();
    for index in 0..10 {
        log.append(&change(&index.to_string())).unwrap();
    }
    fs::remove_file(path(&folder, 2)).unwrap();
    let broken = check(&folder).unwrap_err();
    assert!(
        matches!(&broken, Broken::MissingFile { path: missing } if *missing == path(&folder, 2)),
        "{broken}"
    );
}

#[test]
fn an_exchange_fails_if_the_file_is_gone_or_cut_under_a_running_log() {
    let folder = filled(2);
    let log = open(&folder);
    fs::OpenOptions::new()
        .write(true)
        .open(path(&folder, 1))
        .unwrap()
        .set_len(10)
        .unwrap();
    assert!(matches!(
        log.append(&change("x")),
        Err(Error::Broken(Broken::CutEnd { .. }))
    ));
    assert!(log.is_healthy() && !log.is_writable());
    fs::remove_file(path(&folder, 1)).unwrap();
    assert!(matches!(
        log.append(&change("x")),
        Err(Error::Broken(Broken::MissingFile { .. }))
    ));
}

/// A full disk, as /dev/full plays it: the record is refused, and the next one succeeds once there is room.
#[test]
fn a_failed_write_is_an_error_and_leaves_the_chain_whole() {
    let folder = filled(1);
    let log = open(&folder);
    let good = {
        let mut writer = log.shared.writer();
        let full = Arc::new(
            fs::OpenOptions::new()
                .append(true)
                .open("/dev/full")
                .unwrap(),
        );
        std::mem::replace(&mut writer.file, full)
    };
    {
        let mut writer = log.shared.writer();
        let error = log.shared.write(&mut writer, &change("x")).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Io {
                    doing: "write to",
                    ..
                }
            ),
            "{error:?}"
        );
        writer.file = good;
    }
    assert_eq!(log.append(&change("2")).unwrap(), 2);
    assert_eq!(check(&folder).unwrap(), 2);
}

#[test]
fn the_head_follows_a_flush() {
    let folder = filled(3);
    assert_eq!(verify(folder.path(), |_| {}).unwrap().beyond_head, 0);
    assert_eq!(
        Head::read(&folder.path().join("audit.head")).unwrap().seq,
        3
    );
}

#[test]
fn verify_says_how_far_it_is() {
    let folder = filled(3);
    let mut seen = Vec::new();
    verify(folder.path(), |progress| seen.push(progress.bytes)).unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!(
        seen.last(),
        Some(&fs::metadata(path(&folder, 1)).unwrap().len())
    );
}

#[test]
fn tail_gives_the_last_and_then_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open_with(folder.path(), now(), 500).unwrap();
    for index in 0..10 {
        log.append(&change(&index.to_string())).unwrap();
    }
    let (lines, mut follower) = tail(folder.path(), 4).unwrap();
    assert_eq!(subjects(&lines), ["\"6\"", "\"7\"", "\"8\"", "\"9\""]);
    assert!(follower.poll().unwrap().is_empty());
    for index in 10..20 {
        log.append(&change(&index.to_string())).unwrap();
    }
    assert_eq!(polled(&mut follower), (10..20).collect::<Vec<_>>());
    assert_eq!(subjects(&tail(folder.path(), 100).unwrap().0).len(), 20);
}

fn polled(follower: &mut Follower) -> Vec<u32> {
    let lines = follower.poll().unwrap();
    subjects(&lines)
        .iter()
        .map(|subject| subject.trim_matches('"').parse().unwrap())
        .collect()
}

#[test]
fn an_empty_log_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder);
    assert_eq!(check(&folder).unwrap(), 0);
    assert!(tail(folder.path(), 5).unwrap().0.is_empty());
}
