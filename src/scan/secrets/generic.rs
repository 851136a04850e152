//! Credentials that no single issuer gives: keys, tokens, passwords in addresses and assignments.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "private_key",
        r"-----BEGIN[ A-Z0-9]{0,16}PRIVATE KEY(?: BLOCK)?-----(?:(?:[\s>|#*]|\\[nr])+[A-Z][A-Za-z-]+: ?[ !-\[\]-~]+)*(?:(?:[\s>|#*]|\\[nr])+[A-Za-z0-9+/=]{16,})*(?:(?:(?:[\s>|#*]|\\[nr])+[A-Za-z0-9+/=]+)?(?:[\s>|#*]|\\[nr])*-----END[ A-Z0-9]{0,24}KEY(?: BLOCK)?-----)?",
        "a private key in PEM form, whole",
    ),
    (
        "jwt",
        r"\beyJ[A-Za-z0-9_-]{8,512}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
        "a JSON web token",
    ),
    (
        "database_url",
        r#"(?i)\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|sqlserver|clickhouse|cockroachdb|oracle|couchdb|nats|ldaps?|smtps?|ftps?|sftp)(?:\+[a-z0-9]{1,16})?://(?u:[^\s:/@"'`<>]{0,32}):(?u:[^\s@/"'`]{1,64})@[A-Za-z0-9\[][A-Za-z0-9._:\[\],-]*"#,
        "a connection string with a password",
    ),
    (
        "basic_auth_url",
        r#"(?i)\b(?:https?|git|ssh|wss?)://(?u:[^\s:/@"'`<>]{1,32}):(?u:[^\s@/"'`]{3,64})@[A-Za-z0-9][A-Za-z0-9._:-]*"#,
        "a web address with a password",
    ),
    (
        "bearer_token",
        r"(?i)\bbearer[\s]{1,4}[A-Za-z0-9._~+/-]{20,}=*",
        "a bearer token",
    ),
    (
        "basic_authorization",
        r#"(?i)\bauthorization["']?\s{0,3}[:=]\s{0,3}["']?basic\s{1,3}[A-Za-z0-9+/]{8,}={0,2}"#,
        "a basic authorization header",
    ),
    (
        "assigned_secret",
        r#"(?i)(?:\b|_)(?:api_?key|api-key|apikey|secret_?key|secret-key|access_?token|access-token|auth_?token|client_?secret|client-secret|private_?token|app_?secret|token|secret|passwd|password)["'\]]{0,2}\s{0,4}(?::=|=>|=|:)\s{0,4}["'`]?[A-Za-z0-9+/_~!@#$%^&*=.-]{12,}"#,
        "a secret assigned to a telling name",
    ),
];
