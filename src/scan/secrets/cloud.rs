//! Keys of clouds and infrastructure.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "aws_access_key",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b",
        "an AWS access key id",
    ),
    (
        "aws_secret_key",
        r#"(?i)(?:\b|_)(?:aws_?secret|secret_?access)[a-z_]{0,20}["']?\s{0,4}(?:=|:|=>|:=)\s{0,4}["']?[A-Za-z0-9/+]{40}\b"#,
        "an AWS secret access key",
    ),
    (
        "aws_bedrock_key",
        r"\b(?:ABSK[A-Za-z0-9+/]{100,}={0,2}|bedrock-api-key-[A-Za-z0-9+/=._-]{20,})",
        "an Amazon Bedrock API key",
    ),
    (
        "google_oauth_token",
        r"\bya29\.[A-Za-z0-9_-]{20,}",
        "a Google OAuth access token",
    ),
    (
        "google_oauth_secret",
        r"\bGOCSPX-[A-Za-z0-9_-]{20,}",
        "a Google OAuth client secret",
    ),
    (
        "azure_client_secret",
        r"[0-9]Q~[A-Za-z0-9_~.-]{31,}",
        "an Azure AD client secret",
    ),
    (
        "azure_account_key",
        r"(?i)\b(?:Account|SharedAccess|Shared_Access_)Key=[A-Za-z0-9+/]{40,}={0,2}",
        "an Azure storage or service bus key",
    ),
    (
        "azure_sas_signature",
        r"[?&]sig=[A-Za-z0-9%]{43,}",
        "an Azure shared access signature",
    ),
    (
        "alibaba_access_key",
        r"\bLTAI[A-Za-z0-9]{17,}",
        "an Alibaba Cloud access key id",
    ),
    (
        "digitalocean_token",
        r"\bdo[opr]_v1_[a-f0-9]{64}",
        "a DigitalOcean token",
    ),
    ("heroku_key", r"\bHRKU-[A-Za-z0-9_-]{36,}", "a Heroku key"),
    (
        "flyio_token",
        r"\b(?:FlyV1\s)?fm[12][ar]?_[A-Za-z0-9+/=_-]{60,}",
        "a Fly.io token",
    ),
    (
        "supabase_token",
        r"\bsb(?:p_[a-f0-9]{40}|_secret_[A-Za-z0-9_-]{30,})",
        "a Supabase token",
    ),
    (
        "netlify_token",
        r"\bnfp_[A-Za-z0-9]{36,}",
        "a Netlify token",
    ),
    (
        "planetscale_token",
        r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{32,}",
        "a PlanetScale token",
    ),
    (
        "databricks_token",
        r"\bdapi[a-f0-9]{32}(?:-[0-9])?\b",
        "a Databricks token",
    ),
    (
        "doppler_token",
        r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{30,}",
        "a Doppler token",
    ),
    (
        "vault_token",
        r"\bhv[bs]\.[A-Za-z0-9_-]{20,}",
        "a HashiCorp Vault token",
    ),
    (
        "terraform_token",
        r"\.atlasv1\.[A-Za-z0-9_=-]{40,}",
        "a Terraform Cloud token",
    ),
    ("pulumi_token", r"\bpul-[a-f0-9]{40}\b", "a Pulumi token"),
    (
        "scalingo_token",
        r"\btk-us-[A-Za-z0-9_-]{48}",
        "a Scalingo token",
    ),
    (
        "openshift_token",
        r"\bsha256~[A-Za-z0-9_-]{43}",
        "an OpenShift token",
    ),
    (
        "age_secret_key",
        r"\bAGE-SECRET-KEY-1[A-Z0-9]{58}",
        "an age secret key",
    ),
];
