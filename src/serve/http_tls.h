// SPDX-License-Identifier: Apache-2.0
// TLS identities: a certificate chain and its key, exchanged while the server runs. Each connection keeps the one it
// began with.
#pragma once

#include <gnutls/abstract.h>

#include "base/status.h"

typedef struct TlsIdentity TlsIdentity;
typedef struct HttpTls HttpTls;

// TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only.
#define TLS_PRIORITIES                                                                                                 \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA:-CIPHER-ALL:"                       \
    "+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:%SERVER_PRECEDENCE"

// ERR_IO for files that cannot be read, ERR_FORMAT for files that are no certificate, no key, or do not belong
// together.
MUST_CHECK Status tls_new(const char *certificate, const char *key, HttpTls **ret_tls, Error *err);
void tls_free(HttpTls *tls);

// Reads the files again. On failure the old identity stays.
MUST_CHECK Status tls_reload(HttpTls *tls, Error *err);

// The present identity, held until tls_release. NULL is fine there.
TlsIdentity *tls_hold(HttpTls *tls);
void tls_release(TlsIdentity *identity);

gnutls_pcert_st *tls_chain(const TlsIdentity *identity, unsigned *ret_count);
gnutls_privkey_t tls_key(const TlsIdentity *identity);
