//! Further credentials with shapes of their own.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "adobe_client_secret",
        r"\bp8e-[A-Za-z0-9]{32}\b",
        "an Adobe client secret",
    ),
    (
        "authress_key",
        r"\b(?:sc|ext|scauth|authress)_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[a-z0-9+/_=-]{30,}",
        "an Authress service key",
    ),
    (
        "dynatrace_token",
        r"(?i)\bdt0c01\.[a-z0-9]{24}\.[a-z0-9]{64}\b",
        "a Dynatrace token",
    ),
    (
        "intra42_secret",
        r"\bs-s4t2(?:ud|af)-[a-f0-9]{64}\b",
        "a 42 client secret",
    ),
    (
        "jwt_base64",
        r"\bZXlK(?:[A-Za-z0-9+/_-]{4}){8,}[A-Za-z0-9+/_=-]*",
        "a JSON web token in base64",
    ),
    (
        "facebook_app_token",
        r"\b[0-9]{15,16}(?:\||%7C)[A-Za-z0-9_-]{27,40}\b",
        "a Facebook app token",
    ),
    (
        "nuget_password",
        r#"(?i)<add key="(?:clear_?text)?password"\s{1,3}value="[!#-;=?-~]{8,}"#,
        "a password in a NuGet configuration",
    ),
    (
        "sidekiq_url",
        r"(?i)\bhttps?://[a-f0-9]{8}:[a-f0-9]{8}@(?:gems|enterprise)\.contribsys\.com",
        "a Sidekiq address with its password",
    ),
    (
        "url_parameter",
        r"(?i)[?&](?:api_?key|access_?token|auth_?token|client_?secret|x-api-key)=[a-z0-9_.~-]{16,}",
        "a key in an address",
    ),
    (
        "curl_user",
        r#"(?i)--user[ =]["']?[a-z0-9._@-]{2,30}:[!#-&(-~]{4,}"#,
        "a password given to curl",
    ),
    (
        "curl_header",
        r#"(?i)(?:-H|--header)[ =]["'](?:x-api-key|api-key|x-auth-token|private-token):\s?[a-z0-9=~@.+/_-]{16,}"#,
        "a credential in a header given to curl",
    ),
    (
        "cloudinary_url",
        r"\bcloudinary://[0-9]{10,20}:[A-Za-z0-9_-]{20,64}@[a-z0-9-]+",
        "a Cloudinary address with its secret",
    ),
    (
        "cloudflare_origin_key",
        r"\bv1\.0-[a-f0-9]{24}-[a-f0-9]{146}",
        "a Cloudflare origin CA key",
    ),
    ("cursor_key", r"\bkey_[a-f0-9]{64}\b", "a Cursor key"),
    (
        "fireworks_key",
        r"\bfw_[A-Za-z0-9]{22,}\b",
        "a Fireworks AI key",
    ),
    ("cerebras_key", r"\bcsk-[a-z0-9]{40,}", "a Cerebras key"),
    ("tavily_key", r"\btvly-[A-Za-z0-9-]{24,}", "a Tavily key"),
    (
        "langfuse_key",
        r"\b[sp]k-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "a Langfuse key",
    ),
    ("voyage_key", r"\bpa-[A-Za-z0-9_-]{43}\b", "a Voyage AI key"),
    (
        "anyscale_key",
        r"\besecret_[A-Za-z0-9]{24,}",
        "an Anyscale key",
    ),
    ("modal_token", r"\ba[ks]-[A-Za-z0-9]{22}\b", "a Modal token"),
    ("render_key", r"\brnd_[A-Za-z0-9]{32}\b", "a Render key"),
    (
        "buildkite_token",
        r"\bbkua_[a-z0-9]{40}\b",
        "a Buildkite token",
    ),
    (
        "circleci_token",
        r"\bCCIPAT_[A-Za-z0-9]{22}_[a-f0-9]{40}\b",
        "a CircleCI token",
    ),
    (
        "crates_token",
        r"\bcio[A-Za-z0-9]{32}\b",
        "a crates.io token",
    ),
    ("hex_key", r"\bhex_[a-f0-9]{32}\b", "a Hex.pm key"),
    ("posthog_key", r"\bph[cx]_[A-Za-z0-9]{40,}", "a PostHog key"),
    ("neon_key", r"\bnapi_[a-z0-9]{64}\b", "a Neon key"),
    (
        "tailscale_key",
        r"\btskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{6,}-[A-Za-z0-9]{20,}",
        "a Tailscale key",
    ),
    (
        "ngrok_token",
        r"\b(?:ngrok|cr)_[A-Za-z0-9]{27}_[A-Za-z0-9]{21}\b",
        "an ngrok token",
    ),
    (
        "razorpay_key",
        r"\brzp_(?:live|test)_[A-Za-z0-9]{14}\b",
        "a Razorpay key",
    ),
    (
        "mollie_key",
        r"\b(?:live|test)_[A-Za-z0-9]{30}\b",
        "a Mollie key",
    ),
    (
        "contentful_personal_token",
        r"\bCFPAT-[A-Za-z0-9_-]{43}",
        "a Contentful personal token",
    ),
    (
        "zapier_webhook",
        r"\bhttps://hooks\.zapier\.com/hooks/catch/[0-9]{4,12}/[a-z0-9]{6,}",
        "a Zapier webhook",
    ),
    (
        "putty_key",
        r"PuTTY-User-Key-File-[23]: [a-z0-9-]{6,}",
        "a PuTTY private key",
    ),
    (
        "ssh_password",
        r"\bsshpass\s{1,4}-p\s{0,2}[!-~]{4,}",
        "a password given to sshpass",
    ),
];
