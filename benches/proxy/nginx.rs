//! nginx as a plain proxy: the measure of what forwarding alone costs.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::load::Target;
use crate::process::{Process, await_listener, free_address};

/// Starts nginx with one worker in front of an upstream.
pub(crate) fn start(directory: &Path, upstream: SocketAddr) -> Result<(Process, Target)> {
    fs::create_dir_all(directory)?;
    let address = free_address()?;
    let folder = directory.display();
    let configuration = format!(
        "worker_processes 1; worker_rlimit_nofile 16384; pid {folder}/pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 8192; }}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder}; keepalive_requests 10000000; tcp_nodelay on;
    upstream mock {{ server {upstream}; keepalive 1024; keepalive_requests 10000000; }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}"
    );
    let file = directory.join("nginx.conf");
    fs::write(&file, configuration)?;
    let file = file.to_str().context("the folder's name is not UTF-8")?;
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx"]
        .iter()
        .map(Path::new)
        .find(|program| program.exists())
        .context("nginx is missing: apt-get install nginx-light")?;
    let process = Process::start(program, &["-c", file], directory, &[])?;
    await_listener(address)?;
    let key = "unused".to_owned();
    Ok((
        process,
        Target {
            name: "nginx",
            address,
            key,
        },
    ))
}
