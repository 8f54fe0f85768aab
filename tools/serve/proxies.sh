#!/bin/sh
# Sends every raw request of tests/serve/raw_requests.h through HAProxy and nginx, strict and lenient, before a server of
# ours: what they pass on is refused or served exactly once, and nothing that they did not pass on is served.
#
#     tools/serve/proxies.sh BUILD_FOLDER      # needs the packages haproxy and nginx-light
set -eu
build=$1
replay=$build/tests/raw_replay
folder=$(mktemp -d)
proxy=
trap '[ -z "$proxy" ] || kill "$proxy" 2> /dev/null || true; rm -rf "$folder"' EXIT
status=0

# through NAME COMMAND...: replays through the proxy that the command runs and that listens on $folder/front
through() {
    name=$1; shift
    rm -f "$folder/front" "$folder/begin" "$folder/out"
    mkfifo "$folder/begin"
    "$replay" "$folder/back" "$folder/front" < "$folder/begin" > "$folder/out" &
    client=$!
    exec 3> "$folder/begin"
    while ! grep -q ready "$folder/out" 2> /dev/null; do sleep 0.05; done
    "$@" 2> "$folder/log" &
    proxy=$!
    tries=0
    while [ ! -S "$folder/front" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { echo "$name does not start:"; cat "$folder/log"; kill "$client"; exit 1; }
        sleep 0.05
    done
    echo go >&3
    wait "$client" || status=1
    exec 3>&-
    kill "$proxy"; wait "$proxy" 2> /dev/null || true
    proxy=
    sed "s/^/$name: /" "$folder/out" | grep -v 'ready$' | tail -n 20
}

# haproxy_config OPTION...: of the front end
haproxy_config() {
    cat > "$folder/haproxy.cfg" <<END
defaults
    mode http
    timeout connect 2s
    timeout client 2s
    timeout server 2s
    retries 0
    http-reuse always
frontend front
    bind unix@$folder/front mode 600
    http-request set-header X-Through %[uuid()]
    default_backend back
$*
backend back
    server one unix@$folder/back
END
}

# nginx_config DIRECTIVE...: of the server
nginx_config() {
    cat > "$folder/nginx.conf" <<END
daemon off;
user $(id -un) $(id -gn);
pid $folder/nginx.pid;
error_log $folder/nginx.log;
worker_processes 1;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    upstream back { server unix:$folder/back; keepalive 8; }
    server {
        listen unix:$folder/front;
        $*
        location / {
            proxy_pass http://back;
            proxy_http_version 1.1;
            proxy_next_upstream off;
            proxy_set_header Connection "";
            proxy_set_header Host \$http_host;
            proxy_set_header X-Through \$request_id;
        }
    }
}
END
}

haproxy_config
through haproxy haproxy -db -f "$folder/haproxy.cfg"
haproxy_config "    option accept-invalid-http-request"
through "haproxy, lenient" haproxy -db -f "$folder/haproxy.cfg"
nginx_config
through nginx nginx -p "$folder" -e "$folder/nginx.log" -c "$folder/nginx.conf"
nginx_config "ignore_invalid_headers off; underscores_in_headers on; merge_slashes off; proxy_request_buffering off;"
through "nginx, lenient" nginx -p "$folder" -e "$folder/nginx.log" -c "$folder/nginx.conf"
exit $status
