#define _GNU_SOURCE
#include "CCurl.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

CURLcode wl_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

CURLcode wl_curl_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

CURLcode wl_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

CURLcode wl_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}

CURLcode wl_curl_set_blob(CURL *handle, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {.data = (void *)bytes, .len = count, .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(handle, option, &blob);
}

CURLcode wl_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *list) {
    return curl_easy_setopt(handle, option, list);
}

CURLcode wl_curl_set_write(CURL *handle, wl_curl_write_callback callback, void *context) {
    CURLcode result = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, callback);
    return result != CURLE_OK ? result : curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
}

CURLcode wl_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

CURLcode wl_curl_get_string(CURL *handle, CURLINFO info, const char **value) {
    return curl_easy_getinfo(handle, info, (char **)value);
}

CURLcode wl_curl_message_result(const CURLMsg *message, int *done) {
    *done = message->msg == CURLMSG_DONE;
    return *done ? message->data.result : CURLE_OK;
}

static int check_leaf(X509_STORE_CTX *store, void *context) {
    wl_certificate_check *check = context;
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    unsigned int length = 0;
    if (leaf == NULL || X509_digest(leaf, EVP_sha256(), check->actual, &length) != 1 || length != 32) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
    check->seen = 1;

    struct tm when;
    memset(&when, 0, sizeof when);
    check->not_after = ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &when) == 1 ? (int64_t)timegm(&when) : 0;

    check->subject[0] = 0;
    BIO *text = BIO_new(BIO_s_mem());
    if (text != NULL) {
        X509_NAME_print_ex(text, X509_get_subject_name(leaf), 0, XN_FLAG_RFC2253);
        int count = BIO_read(text, check->subject, (int)sizeof check->subject - 1);
        check->subject[count > 0 ? count : 0] = 0;
        BIO_free(text);
    }

    if (check->pinned && CRYPTO_memcmp(check->actual, check->expected, 32) != 0) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static CURLcode install_check(CURL *handle, void *ssl_context, void *context) {
    (void)handle;
    SSL_CTX_set_cert_verify_callback((SSL_CTX *)ssl_context, check_leaf, context);
    return CURLE_OK;
}

CURLcode wl_curl_set_certificate_check(CURL *handle, wl_certificate_check *check) {
    CURLcode result = curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, install_check);
    if (result == CURLE_OK) result = curl_easy_setopt(handle, CURLOPT_SSL_CTX_DATA, check);
    // The callback decides; the name in the certificate does not matter to one who knows the certificate itself. A
    // resumed TLS session would skip the callback.
    if (result == CURLE_OK) result = curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    if (result == CURLE_OK) result = curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    if (result == CURLE_OK) result = curl_easy_setopt(handle, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    return result;
}
