//! Files and places in file systems that tools should not touch, and ways to get there.

use std::sync::Arc;

use super::{Check, Rule, Scanner};

/// How often percent escapes are undone before a path is judged.
const DECODINGS: usize = 4;

/// Parts of paths, in lower case and with slashes, that no tool needs.
const SENSITIVE: &[&str] = &[
    "/etc/passwd",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssh",
    concat!("/root", "/"),
    "/proc/",
    "/sys/",
    "/.ssh/",
    "/.aws/",
    "/.kube/",
    "/.gnupg/",
    "windows/system32",
    "windows/win.ini",
    "boot.ini",
];

pub(super) fn rules() -> Vec<Rule> {
    vec![
        rule(
            "traversal",
            r"\.{2,4}(?:/|\\{1,4})(?:[A-Za-z0-9._~/\\-])*",
            None,
            "a path that climbs out of its directory",
        ),
        rule(
            "encoded",
            r"(?i)\.{0,2}%(?:25){0,3}(?:2e|2f|5c|c0|c1|u00|u22|00)[a-z0-9%._/\\~+-]*",
            Some(Check::LongestEnd(Arc::new(hides_a_path))),
            "a path that climbs or leads to a sensitive file, hidden by percent escapes",
        ),
        rule(
            "sensitive",
            SENSITIVE_FILES,
            None,
            "a file that holds secrets or rules the system",
        ),
    ]
}

/// System files, credentials of users and services, kernel interfaces; Unix and Windows.
const SENSITIVE_FILES: &str = concat!(
    r#"(?i)(?:"#,
    r#"/etc/(?:passwd|shadow|gshadow|master\.passwd|sudoers|security/opasswd|krb5\.keytab|ssh/ssh_host_[a-z0-9_]{2,20}|ssl/private)\b"#,
    r#"|/proc/(?:self|[0-9]{1,7}|kcore|kallsyms|sysrq-trigger|sys/kernel)(?:/(?:environ|mem|maps|cmdline|fd|root|cwd|ns))?\b"#,
    r#"|/sys/(?:kernel|firmware|module|fs/cgroup)\b"#,
    r#"|/dev/(?:mem|kmem|port|sd[a-z]|nvme[0-9])\b"#,
    r#"|/root[/][a-z0-9._-]"#,
    r#"|/boot/(?:grub|vmlinuz|initrd)"#,
    r#"|/var/run/docker\.sock\b|/run/docker\.sock\b|/run/secrets/|/var/lib/(?:kubelet|docker)/"#,
    r#"|\.ssh[/\\](?:id_[a-z0-9]{2,12}|authorized_keys|config|known_hosts)\b"#,
    r#"|\.aws[/\\](?:credentials|config)\b|\.azure[/\\]|\.config[/\\]gcloud|\.kube[/\\]config\b|\.docker[/\\]config\.json\b|\.gnupg[/\\]"#,
    r#"|/\.(?:netrc|pgpass|git-credentials|npmrc|pypirc|bash_history|zsh_history|htpasswd|env)\b"#,
    r#"|\.git[/\\](?:config|hooks[/\\])"#,
    r#"|windows[/\\]{1,4}(?:system32|syswow64|repair)\b"#,
    r#"|windows[/\\]{1,4}(?:win\.ini|system\.ini|ntds|panther)\b|\bboot\.ini\b|\bntds\.dit\b|\bunattend\.xml\b"#,
    r#"|/wp-config\.php\b"#,
    r#")[a-z0-9._/\\-]*"#
);

fn rule(name: &str, pattern: &'static str, check: Option<Check>, summary: &'static str) -> Rule {
    Rule {
        id: format!("path.{name}").into(),
        scanner: Scanner::Path,
        category: "file",
        label: "PATH".into(),
        score: 0,
        pattern: pattern.into(),
        check,
        summary: summary.into(),
    }
}

/// Whether undoing percent escapes, several times over, uncovers a climb, a sensitive file or an end of string.
fn hides_a_path(text: &str) -> bool {
    let mut path = text.as_bytes().to_vec();
    let mut decoded = 0;
    while decoded < DECODINGS && path.contains(&b'%') {
        path = undo_escapes(&path);
        decoded += 1;
    }
    for byte in &mut path {
        *byte = if *byte == b'\\' {
            b'/'
        } else {
            byte.to_ascii_lowercase()
        };
    }
    let path = String::from_utf8_lossy(&path);
    let climbs = path.split('/').any(|part| part == "..") && path.contains('/');
    decoded > 0
        && (climbs || path.contains('\0') || SENSITIVE.iter().any(|place| path.contains(place)))
}

/// Undoes `%2e`, `%u002e` and the overlong forms of `.`, `/` and `\` once; what is no escape stays.
fn undo_escapes(text: &[u8]) -> Vec<u8> {
    const FORMS: [(&[u8], u8); 8] = [
        (b"%c0%ae", b'.'),
        (b"%c0%af", b'/'),
        (b"%c1%9c", b'\\'),
        (b"%u002e", b'.'),
        (b"%u002f", b'/'),
        (b"%u005c", b'\\'),
        (b"%u2215", b'/'),
        (b"%u2216", b'\\'),
    ];
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let form = FORMS.iter().find(|(form, _)| {
            rest.get(..form.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(form))
        });
        if let Some((form, byte)) = form {
            out.push(*byte);
            rest = rest.get(form.len()..).unwrap_or_default();
            continue;
        }
        let digit = |place: usize| {
            after
                .get(place)
                .and_then(|byte| char::from(*byte).to_digit(16))
        };
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            out.push(u8::try_from(high * 16 + low).unwrap_or_default());
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_repeatedly() {
        for hidden in [
            "%2e%2e%2f%2e%2e%2fetc/passwd",
            "%252e%252e%252fetc",
            "%25252e%25252e%25252fx",
            "..%2f..%2fx",
            "%c0%ae%c0%ae%c0%afx",
            "%u002e%u002e%u2215x",
            "%2fetc%2fshadow",
            "%5c..%5c",
            ".php%00.jpg",
        ] {
            assert!(hides_a_path(hidden), "{hidden}");
        }
        for plain in [
            "../x",
            "%20..%20",
            "%2Fdocs%2Fguide",
            "%E2%82%AC",
            "1..2%",
            "100%..",
        ] {
            assert!(!hides_a_path(plain), "{plain}");
        }
    }
}
