// SPDX-License-Identifier: Apache-2.0
// Reads identities and counts who uses them.
#include "serve/http_tls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum { CHAIN_MOST = 16 };

struct TlsIdentity {
    _Atomic size_t holders;
    unsigned count;
    gnutls_pcert_st chain[CHAIN_MOST];
    gnutls_privkey_t key;
};

struct HttpTls {
    Arena arena;
    const char *certificate_path, *key_path;
    pthread_mutex_t lock;
    TlsIdentity *identity;
};

void tls_release(TlsIdentity *identity) {
    if (!identity || atomic_fetch_sub(&identity->holders, 1) != 1)
        return;
    for (unsigned i = 0; i < identity->count; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key)
        gnutls_privkey_deinit(identity->key);
    memory_free(identity);
}

TlsIdentity *tls_hold(HttpTls *tls) {
    pthread_mutex_lock(&tls->lock);
    TlsIdentity *identity = tls->identity;
    atomic_fetch_add(&identity->holders, 1);
    pthread_mutex_unlock(&tls->lock);
    return identity;
}

gnutls_pcert_st *tls_chain(const TlsIdentity *identity, unsigned *ret_count) {
    *ret_count = identity->count;
    return (gnutls_pcert_st *)identity->chain; // the library's types know no const
}

gnutls_privkey_t tls_key(const TlsIdentity *identity) {
    return identity->key;
}

static Status pem_read(Arena *arena, const char *path, gnutls_datum_t *ret_datum, Error *err) {
    Bytes bytes;
    TRY(file_map(arena, path, &bytes, err));
    if (bytes.size > 1 << 20)
        return FAIL(err, ERR_FORMAT, "'%s' has %zu bytes, more than a PEM file of certificates or keys has", path,
                    bytes.size);
    *ret_datum = (gnutls_datum_t){(unsigned char *)bytes.data, (unsigned)bytes.size};
    return OK;
}

static Status chain_read(Arena *arena, const char *path, TlsIdentity *identity, Error *err) {
    gnutls_datum_t pem;
    TRY(pem_read(arena, path, &pem, err));
    unsigned count = CHAIN_MOST;
    int failed = gnutls_pcert_list_import_x509_raw(identity->chain, &count, &pem, GNUTLS_X509_FMT_PEM,
                                                   GNUTLS_X509_CRT_LIST_SORT);
    if (failed < 0)
        return FAIL(err, ERR_FORMAT, "'%s' holds no chain of certificates in PEM, the server's first: %s", path,
                    gnutls_strerror(failed));
    identity->count = count;
    return OK;
}

static Status key_read(Arena *arena, const char *path, TlsIdentity *identity, Error *err) {
    gnutls_datum_t pem;
    TRY(pem_read(arena, path, &pem, err));
    int failed = gnutls_privkey_init(&identity->key);
    if (!failed)
        failed = gnutls_privkey_import_x509_raw(identity->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (failed < 0)
        return FAIL(err, ERR_FORMAT, "'%s' holds no private key in PEM without a password: %s", path,
                    gnutls_strerror(failed));
    return OK;
}

// Whether the key's public half is the certificate's.
static bool identity_fits(const TlsIdentity *identity) {
    unsigned char of_key[64], of_chain[64];
    size_t key_bytes = sizeof of_key, chain_bytes = sizeof of_chain;
    gnutls_pubkey_t public = NULL;
    bool fits = !gnutls_pubkey_init(&public) && !gnutls_pubkey_import_privkey(public, identity->key, 0, 0) &&
                !gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, of_key, &key_bytes) &&
                !gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, of_chain, &chain_bytes) &&
                key_bytes == chain_bytes && !memcmp(of_key, of_chain, key_bytes);
    if (public)
        gnutls_pubkey_deinit(public);
    return fits;
}

static Status identity_read(const HttpTls *tls, TlsIdentity *identity, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    Status status = chain_read(&arena, tls->certificate_path, identity, err);
    if (status == OK)
        status = key_read(&arena, tls->key_path, identity, err);
    arena_done(&arena);
    if (status == OK && !identity_fits(identity))
        status = FAIL(err, ERR_FORMAT, "the key in '%s' is not that of the first certificate in '%s'", tls->key_path,
                      tls->certificate_path);
    return status;
}

Status tls_reload(HttpTls *tls, Error *err) {
    TlsIdentity *identity;
    TRY_NEW(identity = memory_new(1, sizeof *identity, err));
    memset(identity, 0, sizeof *identity);
    atomic_store(&identity->holders, 1);
    Status status = identity_read(tls, identity, err);
    if (status != OK) {
        tls_release(identity);
        return status;
    }
    pthread_mutex_lock(&tls->lock);
    TlsIdentity *old = tls->identity;
    tls->identity = identity;
    pthread_mutex_unlock(&tls->lock);
    tls_release(old);
    return OK;
}

Status tls_new(const char *certificate, const char *key, HttpTls **ret_tls, Error *err) {
    HttpTls *tls;
    TRY_NEW(tls = memory_new(1, sizeof *tls, err));
    *tls = (HttpTls){0};
    arena_init(&tls->arena, 0);
    pthread_mutex_init(&tls->lock, NULL);
    tls->certificate_path = arena_copy_text(&tls->arena, certificate, strlen(certificate), err);
    tls->key_path = tls->certificate_path ? arena_copy_text(&tls->arena, key, strlen(key), err) : NULL;
    Status status = tls->key_path ? tls_reload(tls, err) : err->status;
    if (status != OK) {
        tls_free(tls);
        return status;
    }
    *ret_tls = tls;
    return OK;
}

void tls_free(HttpTls *tls) {
    if (!tls)
        return;
    tls_release(tls->identity);
    pthread_mutex_destroy(&tls->lock);
    arena_done(&tls->arena);
    memory_free(tls);
}
