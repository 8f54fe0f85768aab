// SPDX-License-Identifier: Apache-2.0
// Certificates made on the spot, and a client that speaks TLS. It believes every server.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>

#include "serve/http_harness.h"

static inline void file_put(const char *path, const gnutls_datum_t *data) {
    FILE *file = fopen(path, "w");
    ck_assert_uint_eq(fwrite(data->data, 1, data->size, file), data->size);
    fclose(file);
}

// A certificate of its own with this name, and its key.
static inline void identity_make(const char *name, const char *certificate_path, const char *key_path) {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t pem;
    ck_assert_int_eq(gnutls_x509_privkey_init(&key), 0);
    ck_assert_int_eq(
        gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    ck_assert_int_eq(gnutls_x509_crt_init(&certificate), 0);
    ck_assert_int_eq(gnutls_x509_crt_set_version(certificate, 3), 0);
    ck_assert_int_eq(gnutls_x509_crt_set_serial(certificate, "\1", 1), 0);
    ck_assert_int_eq(gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 1000), 0);
    ck_assert_int_eq(gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 100000), 0);
    ck_assert_int_eq(
        gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)), 0);
    ck_assert_int_eq(gnutls_x509_crt_set_key(certificate, key), 0);
    ck_assert_int_eq(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
    ck_assert_int_eq(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), 0);
    file_put(certificate_path, &pem);
    gnutls_free(pem.data);
    ck_assert_int_eq(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
    file_put(key_path, &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

typedef struct TlsClient {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
} TlsClient;

static inline bool tls_connect(TlsClient *client, int port, const char *priorities) {
    client->fd = client_connect(port);
    gnutls_certificate_allocate_credentials(&client->credentials);
    gnutls_init(&client->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_priority_set_direct(client->session, priorities, NULL);
    gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials);
    gnutls_transport_set_int(client->session, client->fd);
    gnutls_handshake_set_timeout(client->session, PATIENCE_MS);
    int failed;
    do
        failed = gnutls_handshake(client->session);
    while (failed < 0 && !gnutls_error_is_fatal(failed));
    return !failed;
}

static inline void tls_close(TlsClient *client) {
    gnutls_deinit(client->session);
    gnutls_certificate_free_credentials(client->credentials);
    close(client->fd);
}

static inline void tls_peer_name(const TlsClient *client, char *ret_name, size_t bytes) {
    unsigned count;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(client->session, &count);
    gnutls_x509_crt_t certificate;
    ck_assert_ptr_nonnull(chain);
    gnutls_x509_crt_init(&certificate);
    ck_assert_int_eq(gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER), 0);
    ck_assert_int_eq(gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret_name, &bytes),
                     0);
    gnutls_x509_crt_deinit(certificate);
}

static inline bool tls_expect(TlsClient *client, Buffer *got, const char *text) {
    char block[16384];
    while (!got->data || !strstr(got->data, text)) {
        ssize_t bytes = gnutls_record_recv(client->session, block, sizeof block);
        if (bytes == GNUTLS_E_AGAIN || bytes == GNUTLS_E_INTERRUPTED)
            continue;
        if (bytes <= 0)
            return false;
        buffer_add(got, block, (size_t)bytes);
    }
    return true;
}

static inline void tls_say(TlsClient *client, const char *text) {
    ck_assert_int_eq(gnutls_record_send(client->session, text, strlen(text)), (ssize_t)strlen(text));
}
