//! Errors in each provider's own shape.

use serde_json::{Value, json};

use super::Refusal;
use crate::wire::Family;

/// A refusal by the policy.
pub(super) fn refused(refusal: &Refusal, family: Family) -> Value {
    let message = refusal.explained();
    match family {
        Family::OpenAi => json!({"error": {
            "message": message,
            "type": "invalid_request_error",
            "param": null,
            "code": refusal.code,
            "sluicegate": {"rule": refusal.rule, "request_id": refusal.request_id},
        }}),
        Family::Anthropic => json!({
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": message,
                "sluicegate": {"code": refusal.code, "rule": refusal.rule},
            },
            "request_id": refusal.request_id,
        }),
        Family::Gemini => json!({"error": {
            "code": 400,
            "message": message,
            "status": "INVALID_ARGUMENT",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": refusal.code.to_ascii_uppercase(),
                "domain": "sluicegate",
                "metadata": {"rule": refusal.rule, "request_id": refusal.request_id},
            }],
        }}),
    }
}

/// Any other error of the gateway.
pub(super) fn other(
    family: Family,
    status: u16,
    code: &str,
    (message, request_id): (&str, &str),
) -> Value {
    match family {
        Family::OpenAi => json!({"error": {
            "message": format!("{message} (request {request_id})"),
            "type": openai_type(status),
            "param": null,
            "code": code,
        }}),
        Family::Anthropic => json!({
            "type": "error",
            "error": {"type": anthropic_type(status), "message": message},
            "request_id": request_id,
        }),
        Family::Gemini => json!({"error": {
            "code": status,
            "message": message,
            "status": gemini_status(status),
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": code.to_ascii_uppercase(),
                "domain": "sluicegate",
                "metadata": {"request_id": request_id},
            }],
        }}),
    }
}

/// The error types of OpenAI's API.
fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// The error types of Anthropic's API.
fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// The names of google.rpc.Code for HTTP statuses, as google/rpc/code.proto maps them.
fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        501 => "UNIMPLEMENTED",
        502 | 503 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
