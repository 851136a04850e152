//! Keys of model providers, code hosts, payment and messaging services.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    // Models.
    (
        "openai_key",
        r"\bsk-[A-Za-z0-9_-]{20,}",
        "an OpenAI API key",
    ),
    (
        "anthropic_key",
        r"\bsk-ant-[A-Za-z0-9_-]{20,}",
        "an Anthropic API key",
    ),
    (
        "openrouter_key",
        r"\bsk-or-(?:v1-)?[A-Za-z0-9]{32,}",
        "an OpenRouter API key",
    ),
    (
        "google_api_key",
        r"\bAIza[A-Za-z0-9_-]{35,}",
        "a Google API key, as Gemini uses",
    ),
    ("groq_key", r"\bgsk_[A-Za-z0-9]{20,}", "a Groq API key"),
    ("xai_key", r"\bxai-[A-Za-z0-9]{20,}", "an xAI API key"),
    (
        "perplexity_key",
        r"\bpplx-[A-Za-z0-9]{20,}",
        "a Perplexity API key",
    ),
    (
        "replicate_token",
        r"\br8_[A-Za-z0-9]{20,}",
        "a Replicate API token",
    ),
    (
        "huggingface_token",
        r"\b(?:hf_|api_org_)[A-Za-z0-9]{20,}",
        "a Hugging Face token",
    ),
    (
        "nvidia_key",
        r"\bnvapi-[A-Za-z0-9_-]{20,}",
        "an NVIDIA API key",
    ),
    (
        "together_key",
        r"\btgp_v1_[A-Za-z0-9_-]{20,}",
        "a Together AI key",
    ),
    (
        "pinecone_key",
        r"\bpcsk_[A-Za-z0-9_]{30,}",
        "a Pinecone API key",
    ),
    (
        "langsmith_key",
        r"\blsv2_(?:pt|sk)_[a-f0-9]{20,}(?:_[a-f0-9]+)?",
        "a LangSmith API key",
    ),
    (
        "sluicegate_key",
        r"\bsg-[A-Za-z0-9_-]{32,}",
        "a key of this gateway",
    ),
    // Code hosts, registries and developer tools.
    (
        "github_token",
        r"\bgh[opsur]_[A-Za-z0-9]{36,}",
        "a GitHub token",
    ),
    (
        "github_pat",
        r"\bgithub_pat_[A-Za-z0-9_]{22,}",
        "a GitHub fine-grained token",
    ),
    (
        "gitlab_token",
        r"\b(?:gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[A-Za-z0-9_.-]{20,}|GR1348941[A-Za-z0-9_-]{20,}|_gitlab_session=[a-z0-9]{32})",
        "a GitLab token",
    ),
    (
        "bitbucket_token",
        r"\bAT(?:BB|CTT3|ATT3)[A-Za-z0-9_=-]{24,}",
        "an Atlassian or Bitbucket token",
    ),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{36,}", "an npm token"),
    ("pypi_token", r"\bpypi-[A-Za-z0-9_-]{40,}", "a PyPI token"),
    ("rubygems_key", r"\brubygems_[a-f0-9]{48}", "a RubyGems key"),
    (
        "docker_token",
        r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}",
        "a Docker Hub token",
    ),
    (
        "clojars_token",
        r"\bCLOJARS_[a-z0-9]{60}",
        "a Clojars token",
    ),
    (
        "artifactory_key",
        r"\b(?:AKCp[A-Za-z0-9]{64,}|cmVmd[A-Za-z0-9]{59,})",
        "an Artifactory key",
    ),
    (
        "sentry_token",
        r"\bsntry[su]_[A-Za-z0-9+/=_]{40,}",
        "a Sentry token",
    ),
    (
        "sourcegraph_token",
        r"\bsgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}",
        "a Sourcegraph token",
    ),
    (
        "postman_key",
        r"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}",
        "a Postman API key",
    ),
    (
        "linear_key",
        r"\blin_(?:api|oauth)_[A-Za-z0-9]{32,}",
        "a Linear API key",
    ),
    (
        "grafana_token",
        r"\b(?:glc_[A-Za-z0-9+/]{32,}={0,3}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|eyJrIjoi[A-Za-z0-9+/]{40,}={0,3})",
        "a Grafana token",
    ),
    (
        "newrelic_key",
        r"\bNR(?:AK|II|JS|AA|IQ|RA)-[A-Za-z0-9-]{19,}",
        "a New Relic key",
    ),
    (
        "figma_token",
        r"\bfig[dou]_[A-Za-z0-9_-]{36,}",
        "a Figma token",
    ),
    ("readme_key", r"\brdme_[a-z0-9]{70}", "a ReadMe API key"),
    (
        "octopus_key",
        r"\bAPI-[A-Z0-9]{26}\b",
        "an Octopus Deploy key",
    ),
    (
        "onepassword_secret",
        r"\bA3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}\b",
        "a 1Password secret key",
    ),
    (
        "onepassword_service_token",
        r"\bops_eyJ[A-Za-z0-9+/_-]{100,}={0,3}",
        "a 1Password service account token",
    ),
    // Payment and commerce.
    (
        "stripe_key",
        r"\b[rs]k_(?:live|test|prod)_[A-Za-z0-9]{10,}",
        "a Stripe key",
    ),
    (
        "stripe_webhook_secret",
        r"\bwhsec_[A-Za-z0-9+/=]{24,}",
        "a webhook signing secret, as Stripe uses",
    ),
    (
        "square_token",
        r"\b(?:EAAA[A-Za-z0-9_-]{22,}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,})",
        "a Square token",
    ),
    (
        "shopify_token",
        r"\bshp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
        "a Shopify token",
    ),
    (
        "braintree_token",
        r"\baccess_token\$production\$[a-z0-9]{16}\$[a-f0-9]{32}",
        "a Braintree token",
    ),
    (
        "flutterwave_key",
        r"\bFLW(?:SEC|PUB)K_TEST-[A-Za-z0-9-]{12,}",
        "a Flutterwave key",
    ),
    (
        "shippo_token",
        r"\bshippo_(?:live|test)_[a-fA-F0-9]{40}",
        "a Shippo token",
    ),
    (
        "easypost_key",
        r"\bEZ[AT]K[A-Za-z0-9]{54,}",
        "an EasyPost key",
    ),
    (
        "duffel_token",
        r"\bduffel_(?:live|test)_[A-Za-z0-9_=-]{43,}",
        "a Duffel token",
    ),
    // Messaging.
    (
        "slack_token",
        r"\bxox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}",
        "a Slack token",
    ),
    (
        "slack_app_token",
        r"\bxapp-[0-9]-[A-Za-z0-9-]{20,}",
        "a Slack app token",
    ),
    (
        "slack_webhook",
        r"\bhttps?://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{30,}",
        "a Slack webhook",
    ),
    (
        "discord_bot_token",
        r"\b[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}",
        "a Discord bot token",
    ),
    (
        "discord_webhook",
        r"\bhttps://(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,}",
        "a Discord webhook",
    ),
    (
        "teams_webhook",
        r"\bhttps://[a-z0-9]{1,40}\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{60,}",
        "a Microsoft Teams webhook",
    ),
    (
        "telegram_bot_token",
        r"\b[0-9]{7,10}:A[A-Za-z0-9_-]{34}\b",
        "a Telegram bot token",
    ),
    ("twilio_key", r"\bSK[a-fA-F0-9]{32}\b", "a Twilio API key"),
    (
        "sendgrid_key",
        r"\bSG\.[A-Za-z0-9_=.-]{40,}",
        "a SendGrid key",
    ),
    (
        "mailgun_key",
        r"\b(?:pub)?key-[a-f0-9]{32}\b",
        "a Mailgun key",
    ),
    (
        "brevo_key",
        r"\bxkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
        "a Brevo key",
    ),
    // Work and data.
    (
        "airtable_token",
        r"\bpat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
        "an Airtable token",
    ),
    (
        "notion_token",
        r"\b(?:ntn|secret)_[A-Za-z0-9]{40,}",
        "a Notion token",
    ),
    (
        "typeform_token",
        r"\btfp_[A-Za-z0-9_.=-]{40,}",
        "a Typeform token",
    ),
    (
        "facebook_token",
        r"\bEAA[CM][A-Za-z0-9]{80,}",
        "a Facebook token",
    ),
    (
        "dropbox_token",
        r"\bsl\.(?:u\.)?[A-Za-z0-9_-]{100,}",
        "a Dropbox token",
    ),
    ("prefect_key", r"\bpnu_[A-Za-z0-9]{36}", "a Prefect key"),
    (
        "infracost_key",
        r"\bico-[A-Za-z0-9]{32}\b",
        "an Infracost key",
    ),
    (
        "frameio_token",
        r"\bfio-u-[A-Za-z0-9_=-]{60,}",
        "a Frame.io token",
    ),
    (
        "settlemint_token",
        r"\bsm_(?:aat|pat|sat)_[A-Za-z0-9]{16}",
        "a SettleMint token",
    ),
    (
        "harness_key",
        r"\b(?:pat|sat)\.[A-Za-z0-9_-]{22}\.[0-9a-zA-Z]{24}\.[A-Za-z0-9]{20}",
        "a Harness key",
    ),
    (
        "clickhouse_key",
        r"\b4b1d[A-Za-z0-9]{38}\b",
        "a ClickHouse Cloud key",
    ),
];
