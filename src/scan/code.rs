//! Commands and calls that do harm when a tool runs them.
//!
//! These are the words of ordinary programming too: the scanner is meant for models whose tools run code, and for the log elsewhere.

use super::{Rule, Scanner};

/// Name, pattern, summary.
type Row = (&'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    (
        "process",
        r"(?-u)\bos\s{0,2}\.\s{0,2}(?:system|popen|exec[lv]p?e?|spawn[lv]p?e?)\s{0,4}\(|\b(?:import|from)[ \t]{1,4}(?:subprocess|pty|commands)\b|\bsubprocess\s{0,2}\.\s{0,2}[a-zA-Z_]{2,20}\s{0,4}\(|\bpty\.spawn\s{0,4}\(|\bchild_process\b|\bRuntime\.getRuntime\(\)\s{0,2}\.exec|\bnew\s{1,4}ProcessBuilder\b|\b(?:shell_exec|passthru|proc_open|pcntl_exec)\s{0,4}\(|\bProcess\.Start\s{0,4}\(|\bWScript\.Shell\b|\bos/exec\b",
        "code that starts a process",
    ),
    (
        "shell",
        r#"(?i-u)\b(?:bash|zsh|dash|/bin/sh)\s{1,4}-[a-z]{0,3}c\s{1,4}["']|\bcmd(?:\.exe)?\s{1,4}/[ck]\s|\b(?:powershell|pwsh)(?:\.exe)?\s[ -:<-{}~]{0,40}-e(?:nc|ncodedcommand)?\s{1,4}[a-z0-9+/=]{16}|\b(?:curl|wget|fetch|iwr)\s[ -:<-{}~]{1,40}\|\s{0,4}(?:sudo\s{1,4})?(?:ba|z|da|k)?sh\b|\bIEX\s{0,4}\(\s{0,4}New-Object|\bInvoke-Expression\b|\bbase64\s{1,4}(?:-d|-D|--decode)\s{0,4}\|\s{0,4}(?:ba|z|da)?sh\b|\bFromBase64String\s{0,2}\("#,
        "a command handed to a shell",
    ),
    (
        "deletion",
        r#"(?i-u)\brm["',\s]{1,6}-{1,2}(?:[a-z]{0,4}r[a-z]{0,4}f|[a-z]{0,4}f[a-z]{0,4}r|recursive|no-preserve-root)|\bdel\s{1,4}/[fsq]\b|\b(?:rmdir|rd)\s{1,4}/s\b|\bRemove-Item\b[ -:<-{}~]{0,40}-(?:Recurse|Force)|\bshutil\s{0,2}\.\s{0,2}rmtree\b|\bfs(?:\.promises)?\.(?:rm|rmdir|unlink)(?:Sync)?\s{0,4}\(|\bmkfs(?:\.[a-z0-9]{2,6})?\s{1,4}(?:-[a-z]|/dev/)|\bdd\s[ -:<-{}~]{0,40}of=/dev/|\bformat\s{1,4}[a-z]:(?:\s|/|\\)|\b(?:drop\s{1,4}(?:table|database|schema)|truncate\s{1,4}table)\s{1,4}[a-z`"\[]|:\(\)\s{0,2}\{\s{0,2}:\|:&\s{0,2}\};|>\s?/dev/(?:sd[a-z]|nvme[0-9])"#,
        "deletion of files, disks or tables",
    ),
    (
        "privilege",
        r"(?i-u)\bsudo\s{1,4}(?:su\b|-[is]\b|bash\b|sh\b|rm\b|chmod\b|chown\b|visudo\b|passwd\b)|\bchmod\s{1,4}(?:-R\s{1,4})?(?:0?777|[ugoa]{0,3}\+s|[0-7]?[4-7][0-7]{3})\b|\bchown\s{1,4}(?:-R\s{1,4})?root\b|\bset(?:re)?uid\s{0,2}\(\s{0,2}0|\bNOPASSWD\s{0,2}:|\busermod\s[ -:<-{}~]{0,40}(?:sudo|wheel|docker|root)\b|\bnet\s{1,4}localgroup\s{1,4}administrators\b|\bSet-ExecutionPolicy\s{1,4}(?:Bypass|Unrestricted)|\bdocker\s{1,4}run\s[ -:<-{}~]{0,40}--privileged|\bnsenter\s{1,4}-|\bsetcap\s{1,4}cap_",
        "a step to more rights",
    ),
    (
        "reverse_shell",
        r"(?i-u)/dev/(?:tcp|udp)/[a-z0-9.-]{1,60}/[0-9]{1,5}|\b(?:nc|ncat|netcat)\s[ -:<-{}~]{0,24}-(?:[lnpv]{0,3}[ec])\s{1,2}(?:/bin/|cmd|powershell|ba?sh)|\bbash\s{1,4}-i\s{0,4}[>&]|\bmkfifo\s{1,2}/tmp/|\bsocat\s[ -~]{0,32}exec:|\bfsockopen\s{0,4}\(|\bNet\.Sockets\.TCPClient\b",
        "a shell handed to another machine",
    ),
    (
        "network",
        r"(?-u)\b(?:import|from)[ \t]{1,4}(?:socket|telnetlib|paramiko|ftplib)\b|\bsocket\s{0,2}\.\s{0,2}(?:socket|create_connection)\s{0,4}\(",
        "code that opens network connections",
    ),
    (
        "deserialisation",
        r"(?-u)\b(?:c?[pP]ickle|_pickle|dill|cloudpickle|marshal|shelve|joblib)\s{0,2}\.\s{0,2}(?:loads?|open|Unpickler)\s{0,4}\(|\byaml\s{0,2}\.\s{0,2}(?:unsafe_load|full_load)(?:_all)?\s{0,4}\(|!!python/(?:object|name|module)|\b(?:ObjectInputStream|BinaryFormatter|NetDataContractSerializer|LosFormatter)\b|\bunserialize\s{0,4}\(|\bMarshal\.load\b|\bjsonpickle\.decode\s{0,4}\(|\b__reduce(?:_ex)?__\b|\brO0AB[A-Za-z0-9+/]{4}",
        "data that runs when it is read",
    ),
    (
        "eval",
        r"(?-u)\b(?:eval|exec|execfile)\s{0,4}\(|\bnew\s{1,4}Function\s{0,4}\(|\b__import__\s{0,4}\(|\bimportlib\.import_module\s{0,4}\(|\bvm\.runIn[A-Za-z]{0,12}Context\s{0,4}\(|\bcreate_function\s{0,4}\(|\b__builtins__\b|\b__subclasses__\b|\b__globals__\b",
        "text run as code",
    ),
    (
        "persistence",
        r"(?i-u)\bcrontab\s{1,4}-(?:[elr]\b|\s)|>\s?/etc/(?:cron|rc\.local|profile|ld\.so\.preload)|>>\s{0,4}[!-~]{0,40}(?:authorized_keys|\.bashrc|\.zshrc|\.profile)\b|\bschtasks(?:\.exe)?\s{1,4}/create\b|\breg(?:\.exe)?\s{1,4}add\s[ -~]{0,40}\\Run\b|\bsystemctl\s{1,4}enable\s",
        "a step to stay on a machine",
    ),
    (
        "system_file",
        r#"(?-u)\b(?:open|fopen|readFile|readFileSync|file_get_contents|read_text|FileReader|File)\s{0,4}\(\s{0,4}r?["'](?:/(?:etc|proc|sys|root|dev|boot)/|[A-Za-z]:[\\/]{1,2}[Ww]indows)[!#-&(-~]*"#,
        "code that opens a file of the system",
    ),
];

pub(super) fn rules() -> Vec<Rule> {
    let rule = |(name, pattern, summary): &Row| Rule {
        id: format!("code.{name}").into(),
        scanner: Scanner::Code,
        category: "execution",
        label: "CODE".into(),
        score: 0,
        pattern: (*pattern).into(),
        check: None,
        summary: (*summary).into(),
    };
    ROWS.iter().map(rule).collect()
}
