//! What is noticed when files are edited, mixed or put back.

use super::*;

/// A change made to a file, and the error it must give.
type Tamper = (fn(&mut serde_json::Value), &'static str);

const TAMPERS: [Tamper; 11] = [
    (
        |file| file["entries"]["openai"] = file["entries"]["gemini"].clone(),
        "swapped",
    ),
    (
        |file| {
            file["entries"]["openai"]["sealed"] = file["entries"]["gemini"]["sealed"].clone();
        },
        "damaged",
    ),
    (
        |file| {
            file["entries"]["openai"]["sealed"]["secret"] =
                file["entries"]["gemini"]["sealed"]["secret"].clone();
        },
        "damaged",
    ),
    (
        |file| {
            file["entries"]["openai"]["sealed"]["secret"] =
                file["entries"]["openai"]["sealed"]["key"].clone();
        },
        "damaged",
    ),
    (
        |file| file["entries"]["openai"]["level"] = "public".into(),
        "damaged",
    ),
    (
        |file| file["entries"]["openai"]["level"] = "root".into(),
        "denied",
    ),
    (
        |file| file["entries"]["openai"]["version"] = 7.into(),
        "swapped",
    ),
    (
        |file| file["entries"]["openai"]["sealed"]["secret"] = "not base64!".into(),
        "damaged",
    ),
    (
        |file| file["entries"]["openai"]["sealed"]["key"] = "".into(),
        "damaged",
    ),
    (
        |file| {
            let previous = file["entries"]["gemini"]["sealed"].clone();
            file["entries"]["openai"]["previous"] = serde_json::json!(
                {"version": 2, "until": "2100-01-01T00:00:00Z", "sealed": previous}
            );
        },
        "swapped",
    ),
    (
        |file| {
            file["entries"].as_object_mut().unwrap().remove("openai");
        },
        "lost",
    ),
];

/// Each way to damage an entry makes that entry unreadable, with an error of its own kind, and no other.
#[test]
fn an_entry_that_was_tampered_with_is_named() {
    for (index, (tamper, kind)) in TAMPERS.into_iter().enumerate() {
        let folder = filled();
        edit(&folder, tamper);
        let vault = open(&folder);
        let error = read(&vault, "openai").unwrap_err();
        assert_eq!(error.kind(), kind, "{index}: {error}");
        assert!(error.to_string().contains("openai"), "{index}: {error}");
        let other = read(&vault, "gemini").unwrap();
        assert_eq!(other.expose(), "other secret", "{index}");
        let damaged: Vec<_> = vault
            .check(OPERATOR, now())
            .into_iter()
            .filter(|(_, opened)| opened.is_err())
            .collect();
        assert_eq!(damaged.len(), 1, "{index}");
    }
}

/// What says what belongs in the vault cannot be edited either.
#[test]
fn an_index_that_was_tampered_with_opens_nothing() {
    let tampers: [fn(&mut serde_json::Value); 3] = [
        |file| file["generation"] = 9.into(),
        |file| file["messages"] = 0.into(),
        |file| file["index"] = file["entries"]["openai"]["sealed"]["key"].clone(),
    ];
    for tamper in tampers {
        let folder = filled();
        edit(&folder, tamper);
        let error = Vault::open(folder.path(), Some(&key())).unwrap_err();
        assert!(matches!(error, Error::DamagedIndex { .. }), "{error}");
    }
}

/// [PITFALLS P68] An entry as it was before is not taken for the present one.
#[test]
fn an_entry_put_back_from_an_older_file_does_not_open() {
    let folder = filled();
    let path = folder.path().join("vault.json");
    let old: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    put(&open(&folder), "openai", "newer").unwrap();
    edit(&folder, |file| {
        file["entries"]["openai"] = old["entries"]["openai"].clone();
    });
    let error = read(&open(&folder), "openai").unwrap_err();
    assert!(matches!(error, Error::SwappedEntry { .. }), "{error}");
    // Setting it again mends it.
    put(&open(&folder), "openai", "newest").unwrap();
    assert_eq!(read(&open(&folder), "openai").unwrap().expose(), "newest");
}

/// [PITFALLS P68] An older file is not taken for the present one after a restart either.
#[test]
fn an_older_file_is_refused_after_a_restart() {
    let folder = filled();
    let (path, mark) = (
        folder.path().join("vault.json"),
        folder.path().join("vault.mark"),
    );
    let old = fs::read(&path).unwrap();
    put(&open(&folder), "openai", "newer").unwrap();
    fs::write(&path, old).unwrap();
    let opened = || Vault::open(folder.path(), Some(&key()));
    let error = opened().unwrap_err();
    let is_older = matches!(
        error,
        Error::OlderFile {
            found: 2,
            known: 3,
            ..
        }
    );
    assert!(is_older, "{error}");
    assert!(error.to_string().contains("vault.mark"), "{error}");
    fs::write(&mark, r#"{"format": 2, "mark": "AAAA"}"#).unwrap();
    assert!(matches!(opened().unwrap_err(), Error::DamagedMark { .. }));
    // The operator's way to accept it.
    fs::remove_file(&mark).unwrap();
    assert_eq!(
        read(&opened().unwrap(), "openai").unwrap().expose(),
        "first secret"
    );
    assert!(mark.exists());
}

#[test]
fn an_entry_under_another_name_does_not_open() {
    let folder = filled();
    edit(&folder, |file| {
        file["entries"]["copy"] = file["entries"]["openai"].clone();
    });
    let error = read(&open(&folder), "copy").unwrap_err();
    assert!(matches!(error, Error::SwappedEntry { .. }), "{error}");
}
